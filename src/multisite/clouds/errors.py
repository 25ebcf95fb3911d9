"""What can go wrong between us and a site, sorted by what the caller may do next.

``SiteError`` is an operator's error (``MultisiteError``), so services may let it through: ``status`` is what *our* API
answers (502: the fault is behind us), never what the site answered; that is ``Refused.site_status``.
"""

from __future__ import annotations

from multisite.domain.errors import MultisiteError


class SiteError(MultisiteError):
    """Something a site did or did not do.

    ``site`` is the name it is registered by, ``call`` says in words what was tried, ``message`` what came of it.
    """

    status = 502

    def __init__(self, site: str, call: str, message: str) -> None:
        super().__init__(f"site {site}: {call}: {message}" if site else f"{call}: {message}")
        self.site = site
        self.call = call
        self.message = message


class Refused(SiteError):
    """The site answered, with an error: it took the decision, repeating the same request changes nothing by itself.

    ``site_status`` is the HTTP status it answered, ``request_id`` the id to look for in the site's logs (or None).
    """

    def __init__(
        self, site: str, call: str, message: str, *, site_status: int = 400, request_id: str | None = None
    ) -> None:
        shown = f"{message} (HTTP {site_status}" + (f", {request_id})" if request_id else ")")
        super().__init__(site, call, shown)
        self.message = message
        self.site_status = site_status
        self.request_id = request_id


class NotFoundInSite(Refused):
    """What was asked for is not in the site (404)."""


class ConflictInSite(Refused):
    """The state of the thing forbids the request now (409)."""


class OverQuota(Refused):
    """The project's quota or a hard limit of the service is used up."""


class LoginRefused(Refused):
    """The site's Keystone does not accept our credentials, also not after a fresh login (401)."""


class NotGranted(LoginRefused):
    """Our account may not work in that project of the site: nobody granted it, or no longer."""

    status = 403


class Unreachable(SiteError):
    """The site cannot be reached now.

    Nothing was changed, unless the call was said to be idempotent: then it may have taken effect, which does no harm.
    """

    status = 504


class HiddenInSite(Unreachable):
    """Neutron's 404 that does not say of what: the thing may be there, or its kind unknown to this Neutron."""


class UnknownOutcome(SiteError):
    """The request was sent and its answer lost: it may or may not have taken effect.  Look before repeating it."""

    status = 504


class Unsupported(SiteError):
    """The site, or what is in it, lacks something the operation needs; the message says what to do."""

    status = 409


class TimedOut(SiteError):
    """Something did not get there in time.  ``state`` is the last one seen, ``seconds`` how long we waited."""

    status = 504

    def __init__(self, site: str, call: str, message: str, *, state: str | None, seconds: float) -> None:
        super().__init__(site, call, message)
        self.state = state
        self.seconds = seconds


class Failed(SiteError):
    """Something ended in a state it will not leave by itself: ``state`` names it, ``seconds`` is how long that took."""

    def __init__(self, site: str, call: str, message: str, *, state: str | None, seconds: float) -> None:
        super().__init__(site, call, message)
        self.state = state
        self.seconds = seconds


class Cancelled(SiteError):
    """The operator asked to stop while we waited; the thing waited for goes on in the site."""

    status = 409
