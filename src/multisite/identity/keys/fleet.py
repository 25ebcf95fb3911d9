"""All sites at once: bounded, each with its own time limit, none waiting for another.

Not ``clouds.ask``, whose late questions go on unheard: this work changes sites, so what is late is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from multisite.domain.errors import MultisiteError
from multisite.identity.keys.transport.access import Connect
from multisite.identity.keys.transport.model import SiteFiles, SiteProblem
from multisite.identity.topology.model import IdentitySite

LOG = logging.getLogger(__name__)
T = TypeVar("T")
PARALLEL = 128
SITE_SECONDS = 30.0


async def each(
    sites: Sequence[IdentitySite], connect: Connect, work: Callable[[IdentitySite, SiteFiles], Awaitable[T]],
    *, seconds: float = SITE_SECONDS, parallel: int = PARALLEL,
) -> dict[str, T | SiteProblem]:  # fmt: skip
    """``work`` at every site, connected; by site its answer, or why there is none.

    A site that needs more than ``seconds``, connecting included, counts as one that did not answer: what
    it did meanwhile is unknown.  Whatever a transport raises stays with its site.
    """
    places = asyncio.Semaphore(parallel)

    async def one(site: IdentitySite) -> T | SiteProblem:
        async with places:
            try:
                async with asyncio.timeout(seconds):
                    async with connect(site) as files:
                        return await work(site, files)
            except SiteProblem as problem:
                return problem
            except TimeoutError:
                return SiteProblem(f"no answer within {seconds:g} s")
            except MultisiteError as error:
                return SiteProblem(str(error))
            except Exception as error:  # one site's trouble must not keep the others from their keys
                LOG.error("site %s: %s", site.name, type(error).__name__)  # noqa: TRY400 - its text may hold a key
                return SiteProblem(f"unexpected {type(error).__name__}")

    answers = await asyncio.gather(*(one(site) for site in sites))
    return {site.name: answer for site, answer in zip(sites, answers, strict=True)}
