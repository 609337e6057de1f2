# One image for every part; docker-compose.yml says which part a container is.

FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.runtime.lock ./
RUN python -m venv /opt/pigou \
    && /opt/pigou/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r requirements.runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY allocation allocation
COPY analyzers analyzers
COPY cli cli
COPY collector collector
COPY dashboard dashboard
COPY economy economy
COPY ledger ledger
COPY migrations migrations
# setuptools is in the lock, so that nothing unpinned builds the package.
RUN /opt/pigou/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
LABEL org.opencontainers.image.title="pigou" \
      org.opencontainers.image.description="Double-entry token ledger and marginal-value observability for AI agent stacks" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/pigou /opt/pigou
ENV PATH=/opt/pigou/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --create-home pigou
USER pigou
WORKDIR /home/pigou
# A volume mounted here takes its owner from the image.
RUN mkdir spool
EXPOSE 4317 4318 4320
CMD ["pigou", "--help"]
