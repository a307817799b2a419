# Live streams in a container.
#
#   docker build -t streamanon .
#   docker run --init -v ./streams.toml:/streams.toml:ro -v tape:/tape -p 127.0.0.1:8080:8080 streamanon
#
# with outputs below /tape and serve = "0.0.0.0:8080": then a token is asked for, which the log shows,
# and the container is healthy as long as every stream is. streams.toml holds passwords: before, see
# to it that only the container's user can read it (chmod 600, chown 10001). A camera of the
# machine: --device /dev/video0 --group-add video.
#
# There was no Docker where this file was written. Each step was run by hand in a bare Debian 12 with
# its own Python 3.11 instead (a chroot), and what it starts ran there as that user, with the check.

FROM python:3.11-slim

# For srt:// addresses.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends srt-tools \
 && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY streamanon /src/streamanon
RUN pip install --no-cache-dir '/src[web,openvino]' && rm -rf /src

RUN useradd --uid 10001 --no-create-home --home-dir /tape anonymous \
 && install --directory --owner anonymous /tape
USER anonymous
WORKDIR /tape
VOLUME /tape
EXPOSE 8080
HEALTHCHECK --start-period=60s CMD ["python", "-c", \
 "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=5)"]

# Docker stops with SIGTERM, which finishes outputs and ends well.
ENTRYPOINT ["streamanon"]
CMD ["live", "/streams.toml"]
