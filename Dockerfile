# Live streams in a container.
#
#   docker build -t streamanon .
#   docker run --init -v ./streams.toml:/streams.toml:ro -v tape:/tape -p 127.0.0.1:8080:8080 streamanon
#
# with outputs below /tape and serve = "0.0.0.0:8080" (then a token is asked for). A camera of the
# machine: --device /dev/video0 --group-add video.
#
# This file could not be built where it was written. What it installs was installed in a virtual
# environment there and started.

FROM python:3.11-slim

# What OpenCV and SRT need beside their wheels.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libglib2.0-0 srt-tools \
 && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY streamanon /src/streamanon
RUN pip install --no-cache-dir '/src[web,openvino]' && rm -rf /src

RUN useradd --system --no-create-home --home-dir /tape anonymous \
 && install --directory --owner anonymous /tape
USER anonymous
WORKDIR /tape
VOLUME /tape
EXPOSE 8080

# Docker stops with SIGTERM, which finishes outputs and ends well.
ENTRYPOINT ["streamanon"]
CMD ["live", "/streams.toml"]
