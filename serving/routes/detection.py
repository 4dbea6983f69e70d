"""Pictures in, boxes out: one picture as the body, or several as the files of a form."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from contracts import IDENTIFIER, FactoryError
from serving.answers import answer, answer_error
from serving.detection import DetectQuestion, detect
from serving.errors import MalformedError, TooLargeError
from serving.inference import read_urgency
from serving.pictures import Upload
from serving.settings import Role
from serving.statuses import status_of

from .table import Call, Route

_TAG = "detection"
_MULTIPART = "multipart/form-data"
MAXIMUM_PICTURES = 64


class DetectQuery(BaseModel):
    """What is asked of every picture.

    Attributes:
        model: of the detector; may be left out where only one is served.
        version: one that is open; the champion where it is left out.
        threshold: boxes with a lower score are left out.
        limit: most boxes of one picture, the best first.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(default=None, pattern=IDENTIFIER)
    version: str | None = Field(default=None, pattern=r"^[0-9]{1,9}$")
    threshold: float = Field(default=0.25, ge=0, le=1)
    limit: int = Field(default=300, ge=1, le=10_000)


async def _detect(call: Call) -> Response:
    query = call.query(DetectQuery)
    question = DetectQuestion(**query.model_dump(), urgency=read_urgency(dict(call.request.scope["headers"]), {}))
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await call.body()
    several = kind == _MULTIPART
    uploads = await _read_form(call, body) if several else [Upload("The picture", body)]
    model, told = await detect(call.platform, question, uploads, call.request.receive)
    head = {"model": model.name, "version": model.version}
    if not several:
        first = told[0]
        return answer_error(first) if isinstance(first, FactoryError) else answer(head | first)
    return _answer_all(head, uploads, told)


def _answer_all(
    head: dict[str, object], uploads: list[Upload], told: list[dict[str, object] | FactoryError]
) -> Response:
    """Tell of every picture; 207 where some could not be looked at, the first one's status where none could."""
    pictures = [
        {"name": upload.name} | ({"error": str(each)} if isinstance(each, FactoryError) else each)
        for upload, each in zip(uploads, told, strict=True)
    ]
    failures = [each for each in told if isinstance(each, FactoryError)]
    status = HTTPStatus.OK if not failures else HTTPStatus.MULTI_STATUS
    if len(failures) == len(told):
        status = status_of(failures[0])
    return answer(head | {"pictures": pictures}, status)


async def _read_form(call: Call, body: bytes) -> list[Upload]:
    """Return the files of a form, in order.

    Raises:
        MalformedError: if it cannot be read or holds no file.
        TooLargeError: if it holds too many.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    # One more than allowed tells an honest mistake from a broken form.
    parser = MultiPartParser(call.request.headers, stream(), max_files=MAXIMUM_PICTURES + 1, max_fields=0)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as exc:
        message = f"The form cannot be read: {getattr(exc, 'message', exc)} Send each picture as a file of the form."
        raise MalformedError(message) from exc
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if len(files) > MAXIMUM_PICTURES:
            message = f"The form holds more than {MAXIMUM_PICTURES} pictures. Send them in several requests."
            raise TooLargeError(message)
        if not files:
            message = "The form holds no file. Send each picture as a file of the form."
            raise MalformedError(message)
        return [Upload(part.filename or f"picture {n}", await part.read()) for n, part in enumerate(files, start=1)]
    finally:
        await form.close()


ROUTES = (
    Route(
        "POST",
        "/detect",
        Role.VIEWER,
        _detect,
        "Find things in pictures",
        _TAG,
        query=DetectQuery,
        takes=("image/jpeg", "image/png", _MULTIPART),
        answers={
            200: "What was found, in pixels of the picture as it is shown (EXIF rotation applied).",
            207: "Of several pictures, some could not be looked at; those say why under `error`.",
        },
    ),
)
