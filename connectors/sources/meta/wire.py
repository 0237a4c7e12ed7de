"""What is used of Meta's notifications, field by field.

https://developers.facebook.com/docs/graph-api/webhooks/reference/page (feed),
.../docs/instagram-platform/webhooks/examples (comments, mentions), and
.../documentation/business-messaging/whatsapp/webhooks/reference/messages.
"""

import msgspec


class _Person(msgspec.Struct, frozen=True):
    id: str | int = ""
    name: str = ""
    username: str = ""


class Feed(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """The value of a change of a page's feed."""

    item: str = ""
    verb: str = ""
    comment_id: str = ""
    post_id: str = ""
    parent_id: str = ""
    sender: _Person = _Person()
    message: str = ""
    created_time: int = 0
    permalink_url: str = ""


class Comment(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """The value of a change of Instagram comments."""

    id: str | int
    sender: _Person = _Person()
    text: str = ""
    parent_id: str | int = ""


class Mentioned(msgspec.Struct, frozen=True):
    """The value of an Instagram mention: ids only."""

    media_id: str | int = ""
    comment_id: str | int = ""


class Words(msgspec.Struct, frozen=True):
    """What was written in a mention."""

    text: str = ""
    caption: str = ""
    timestamp: str = ""
    username: str = ""
    permalink: str = ""


class Looked(msgspec.Struct, frozen=True):
    """What the Graph API answers about a mention."""

    mentioned_comment: Words | None = None
    mentioned_media: Words | None = None


class _Text(msgspec.Struct, frozen=True):
    body: str = ""
    caption: str = ""
    text: str = ""
    title: str = ""


class _Interactive(msgspec.Struct, frozen=True):
    button_reply: _Text = _Text()
    list_reply: _Text = _Text()


class _About(msgspec.Struct, frozen=True):
    id: str = ""


class Message(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A WhatsApp message."""

    id: str
    timestamp: str | int
    sender: str = ""
    type: str = ""
    text: _Text = _Text()
    image: _Text = _Text()
    video: _Text = _Text()
    document: _Text = _Text()
    button: _Text = _Text()
    interactive: _Interactive = _Interactive()
    context: _About = _About()

    def words(self) -> str:
        """Return what was written, whatever the kind of message."""
        replied = self.interactive
        told = (
            self.text.body,
            self.image.caption,
            self.video.caption,
            self.document.caption,
            self.button.text,
            replied.button_reply.title,
            replied.list_reply.title,
        )
        return next((t for t in told if t), "")


class _Metadata(msgspec.Struct, frozen=True):
    display_phone_number: str = ""


class Messages(msgspec.Struct, frozen=True):
    """The value of a change of WhatsApp messages, or of echoes of what the team sent."""

    metadata: _Metadata = _Metadata()
    messages: tuple[msgspec.Raw, ...] = ()
    message_echoes: tuple[msgspec.Raw, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """One change of a subscribed field."""

    field: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


class Entry(msgspec.Struct, frozen=True):
    """What happened to one account."""

    id: str | int = ""
    time: int = 0
    changes: tuple[Change, ...] = ()
    field: str = ""
    """With Instagram login a change stands in the entry itself."""
    value: msgspec.Raw = msgspec.Raw(b"null")


class Notice(msgspec.Struct, frozen=True):
    """One notification."""

    object: str = ""
    entry: tuple[Entry, ...] = ()
