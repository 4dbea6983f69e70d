"""Requests at a fixed rate, whether answered or not: load that does not slow down with the server, as wrk's does.

Runs in a process of its own: ``python -m benchmarks.serving.arrivals PLAN``, where PLAN is a JSON file; prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from .load import Request

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Plan:
    """What to send.

    Attributes:
        port: on this machine.
        path: of the URL.
        headers: of each request.
        body: file with the body.
        per_s: requests a second.
        seconds: for how long.
        leave_after_s: close the connection so long after sending; None waits for the answer.
    """

    port: int
    path: str
    headers: dict[str, str]
    body: str
    per_s: float
    seconds: float
    leave_after_s: float | None = None


@dataclass(slots=True)
class Arrivals:
    """What became of them.

    Attributes:
        sent: how many were sent.
        answers: (seconds since the start when it was sent, latency in ms, status); status 0 for a broken connection.
        left: how many were abandoned on purpose.
        late_start_ms: how late the worst one was sent; large where the generator itself could not keep up.
    """

    sent: int = 0
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    left: int = 0
    late_start_ms: float = 0.0

    def latencies(self, status: int) -> list[float]:
        """Return the latencies of the answers with a status."""
        return sorted(latency for _, latency, found in self.answers if found == status)

    def statuses(self) -> dict[int, int]:
        """Return how many answers had each status."""
        return dict(Counter(status for _, _, status in self.answers))


def start_arrivals(port: int, request: Request, *, per_s: float, seconds: float, **options: object) -> Running:
    """Start sending in another process."""
    folder = tempfile.TemporaryDirectory(prefix="arrivals-")
    body = Path(folder.name, "body")
    body.write_bytes(request.body)
    plan = Plan(port, request.path, request.headers, str(body), per_s, seconds, **options)  # type: ignore[arg-type]
    file = Path(folder.name, "plan.json")
    file.write_text(json.dumps(asdict(plan)))
    command = [sys.executable, "-m", "benchmarks.serving.arrivals", str(file)]
    return Running(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT), folder)


@dataclass(slots=True)
class Running:
    """A generator at work."""

    process: subprocess.Popen[str]
    folder: tempfile.TemporaryDirectory[str]

    def result(self) -> Arrivals:
        """Wait until it has ended and return what it found."""
        out, _ = self.process.communicate()
        self.folder.cleanup()
        if self.process.returncode:
            sys.exit(f"The generator of arrivals ended with {self.process.returncode}.")
        found = Arrivals(**json.loads(out))
        found.answers = [(at, latency, status) for at, latency, status in found.answers]
        return found


class _Generator:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        body = Path(plan.body).read_bytes()
        lines = [f"POST {plan.path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in plan.headers.items()]
        self._request = "\r\n".join([*lines, "", ""]).encode() + body
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._found = Arrivals()
        self._started = 0.0

    async def run(self) -> Arrivals:
        self._started = time.perf_counter()
        tasks = set()
        for number in range(int(self._plan.per_s * self._plan.seconds)):
            due = self._started + number / self._plan.per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._found.late_start_ms = max(self._found.late_start_ms, 1000 * (time.perf_counter() - due))
            task = asyncio.create_task(self._ask())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while tasks:
            await asyncio.wait(tasks)
        return self._found

    async def _ask(self) -> None:
        self._found.sent += 1
        at = time.perf_counter()
        try:
            status = await self._exchange()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            status = 0
        if status is None:
            self._found.left += 1
        else:
            self._found.answers.append((at - self._started, 1000 * (time.perf_counter() - at), status))

    async def _exchange(self) -> int | None:
        if self._idle:
            reader, writer = self._idle.popleft()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._plan.port)
        writer.write(self._request)
        if self._plan.leave_after_s is not None:
            await asyncio.sleep(self._plan.leave_after_s)
            writer.transport.abort()
            return None
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        self._idle.append((reader, writer))
        return int(head[9:12])


def main() -> None:
    """Carry out the plan that is named and print what was found."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(_Generator(plan).run()))))


if __name__ == "__main__":
    main()
