"""A folder mirrored into collections: what is added, changed, renamed and deleted there is so here, over the REST API.

Nothing is kept on this side: what is known of the documents is asked for again in each round, by external id and hash, so
that a mirror may be killed at any time, and started anywhere else.
"""

from service_kit.folders.mirror import Mirror, Round
from service_kit.folders.remote import Remote, RemoteError
from service_kit.folders.scan import FolderGone
from service_kit.folders.watching import follow, once

__all__ = ["FolderGone", "Mirror", "Remote", "RemoteError", "Round", "follow", "once"]
