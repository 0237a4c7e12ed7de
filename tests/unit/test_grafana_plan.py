"""What is wanted against what is found."""

from hypothesis import given
from hypothesis import strategies as st

from grafana.plan import ORDER, REDACTED, Resource, differences, plan

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
RESOURCES = st.lists(
    st.builds(
        Resource,
        st.sampled_from(ORDER),
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.text(min_size=1, max_size=4), JSON, max_size=3),
    ),
    unique_by=lambda resource: (resource.kind, resource.key),
)


@given(RESOURCES)
def test_what_is_as_wanted_is_kept(resources: list[Resource]) -> None:
    assert {step.action for step in plan(resources, resources)} <= {"keep"}


@given(RESOURCES, RESOURCES)
def test_carrying_out_a_plan_leaves_exactly_what_is_wanted(
    wanted: list[Resource], found: list[Resource]
) -> None:
    there = {(each.kind, each.key) for each in found}
    for step in plan(wanted, found):
        key = (step.resource.kind, step.resource.key)
        if step.action == "create":
            assert key not in there
            there.add(key)
        elif step.action == "remove":
            there.remove(key)
        else:
            assert key in there
    assert there == {(each.kind, each.key) for each in wanted}


@given(RESOURCES, RESOURCES)
def test_what_is_referred_to_is_made_before_and_removed_after(
    wanted: list[Resource], found: list[Resource]
) -> None:
    steps = plan(wanted, found)
    made = [ORDER.index(step.resource.kind) for step in steps if step.action != "remove"]
    gone = [ORDER.index(step.resource.kind) for step in steps if step.action == "remove"]
    assert made == sorted(made)
    assert gone == sorted(gone, reverse=True)


def test_defaults_that_grafana_adds_are_no_difference_and_labels_added_by_hand_are() -> None:
    wanted = {"title": "A", "labels": {"a": "1"}}
    assert differences(wanted, {**wanted, "id": 7, "provenance": "api"}) == []
    by_hand = {"title": "A", "labels": {"a": "1", "b": "2"}}
    assert differences(wanted, by_hand) == ["labels.b: '2' too many"]


def test_a_secret_that_grafana_hides_is_no_difference() -> None:
    assert differences({"settings": {"url": "https://x"}}, {"settings": {"url": REDACTED}}) == []


def test_a_panel_too_many_is_a_difference() -> None:
    assert differences({"panels": [1]}, {"panels": [1, 2]}) == ["panels: 2 entries instead of 1"]
