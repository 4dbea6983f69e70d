"""What one process holds, from its start to its stop."""

import asyncio
from pathlib import Path

from serving.platform import Platform

from .city import City
from .running import free_port, settings_of


def test_it_is_alive_only_while_it_follows_its_ledger(tmp_path: Path):
    """A process that answers but no longer follows would serve the past for ever: it must be restarted."""
    city = City(tmp_path)
    city.promote(city.release_mean(1))

    async def live() -> list[tuple[bool, bool]]:
        platform = Platform(settings_of(city.store_url, city.releases_url, free_port()))
        told = [(platform.is_alive(), platform.is_ready())]
        await platform.start()
        told.append((platform.is_alive(), platform.is_ready()))
        await platform.stop()
        return [*told, (platform.is_alive(), platform.is_ready())]

    assert asyncio.run(live()) == [(False, False), (True, True), (False, False)]
    city.close()
