"""One side of a TLS connection without a socket: bytes of the wire go in, and what was said comes out; and back.

It ends by halves, as TCP does: a close_notify says that nothing more comes from who sends it, and the other may go on
(RFC 8446 6.1). TLS 1.2 asks the other to stop at once (RFC 5246 7.2.1); to let it finish what it says loses nothing.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

_FIRST = 8
_PIECE = 256 * 1024


class TlsSession:
    """A connection of which the bytes are carried by somebody else.

    peer_name: this side is the requestor, and the acceptor's certificate must bear that name. None: this side accepts.
    first: the first bytes that came. is_over: the peer has said by close_notify that nothing more comes, or the
    session broke.
    """

    def __init__(self, context: ssl.SSLContext, peer_name: str | None = None) -> None:
        self._from_peer, self._to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._side = context.wrap_bio(
            self._from_peer, self._to_peer, server_side=peer_name is None, server_hostname=peer_name
        )
        self._broken = False
        self.first = b""
        self.is_over = False

    def take(self, piece: bytes | memoryview) -> None:
        """Take in what came; nothing, for the end of the connection."""
        if piece:
            self.first += bytes(piece[: _FIRST - len(self.first)])
            self._from_peer.write(piece)
        else:
            self._from_peer.write_eof()

    def shake(self) -> bool:
        """Go on with the handshake, and return whether it is done. Raises `OSError` (`ssl.SSLError`) where it fails."""
        try:
            self._side.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def opened(self) -> Iterator[bytes]:
        """Yield what the peer said, as far as it came whole. Raises `ssl.SSLError` where the session breaks."""
        while not self.is_over:
            try:
                said = self._side.read(_PIECE)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                said = b""
            except ssl.SSLError:
                self.is_over = self._broken = True
                raise
            if not said:
                self.is_over = True
                return
            yield said

    def seal(self, said: bytes | memoryview) -> None:
        """Say something to the peer; what is sent of it is `due`. A session that broke says nothing more."""
        rest = memoryview(said)
        while rest and not self._broken:
            rest = rest[self._side.write(rest) :]

    def end(self) -> None:
        """Say that nothing more comes (close_notify)."""
        if not self._broken:
            with contextlib.suppress(ssl.SSLError):  # the peer has not said so yet
                self._side.unwrap()

    def due(self) -> bytes:
        """Return what is to be sent to the peer: records, in their order."""
        return self._to_peer.read()

    @property
    def has_due(self) -> bool:
        """Whether anything is to be sent to the peer."""
        return self._to_peer.pending > 0
