"""A web service that takes a picture and returns it with every face hidden.

    pip install fastapi python-multipart uvicorn
    uvicorn examples.fastapi_upload:app
    curl -F picture=@me.jpg http://127.0.0.1:8000/anonymise -o safe.png

The endpoint is a plain function, which FastAPI runs in its threads: one anonymiser serves them all
at the same time. A picture that could not be made safe is never returned.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import cv2
import numpy as np
from fastapi import FastAPI, File, HTTPException, Response

import streamanon

anonymiser = streamanon.Anonymiser()  # light: networks are loaded by the first picture


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Free the networks when the service ends."""
    with anonymiser:
        yield


app = FastAPI(title="Face anonymiser", lifespan=lifespan)


@app.post("/anonymise", response_class=Response)
def anonymise(picture: Annotated[bytes, File()]) -> Response:
    """Take a picture of any kind OpenCV reads, upright, and return a PNG without its metadata."""
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) if picture else None
    if image is None:
        raise HTTPException(415, "not a picture that can be read")
    try:
        safe = anonymiser.image(image, faces=True)
    except streamanon.UsageError as error:
        raise HTTPException(422, str(error)) from error
    _, png = cv2.imencode(".png", safe.image)
    counts = {"X-Faces": str(len(safe.faces))}
    return Response(png.tobytes(), media_type="image/png", headers=counts)
