"""The pinned versions of what `make services` runs, all in one place."""

KAFKA = "4.1.1"
"""Maven: org.apache.kafka (see pom.xml)."""

PROMETHEUS = "2.42"
"""Debian package; the distribution's security revisions of it are welcome."""

GRAFANA = "10.0.0"
GRAFANA_MODULE = "github.com/grafana/grafana"
GRAFANA_MODULE_VERSION = "v1.9.2-0.20230609164553-81d85ce8028d"
"""The commit of 10.0.0: the newest that Go's module rules can name (no /vN in its path)."""

WIRE = "v0.7.0"
"""Writes the `wire_gen.go` that Grafana's repository does not hold."""

JAVA_AT_LEAST = 17
