"""Looks up the words of an Instagram mention, whose webhook holds ids only.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-facebook-login/mentions
"""

from connectors.contract import BadItem, Context, Item
from connectors.http import ask, client
from connectors.sources.meta.notices import Reader
from connectors.sources.meta.wire import Mentioned

COMMENT = "mentioned_comment.comment_id({id}){{text,timestamp,username}}"
MEDIA = "mentioned_media.media_id({id}){{caption,timestamp,username,permalink}}"

WITHIN_S = 10.0
"""Meta waits for our answer meanwhile."""


async def look_up(
    reader: Reader,
    account: str,
    asked: Mentioned,
    *,
    url: str,
    token: str,
    context: Context,
    allow_private: bool,
) -> Item | BadItem:
    """Ask for a mention's words.

    Raises
    ------
    Retryable, Fatal
        As for all requests.
    """
    name = str(asked.comment_id or asked.media_id)
    if not (name.isascii() and name.isdigit() and account.isascii() and account.isdigit()):
        return BadItem("missing_field", "a mention without an id", f"instagram:{account}", b"")
    fields = (COMMENT if asked.comment_id else MEDIA).format(id=name)
    headers = {"Authorization": f"Bearer {token}"}
    async with client(context, allow_private=allow_private, headers=headers) as http:
        answer = await ask(
            http, f"{url}/{account}", params={"fields": fields}, within_s=WITHIN_S, now=context.now
        )
    return reader.looked_up(account, asked, answer.body)
