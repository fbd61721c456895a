# `docker build .`; without a registry `npm run image-test`, which also runs what it built. docs/operations.md says how
# to use it.
FROM node:24-bookworm-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ make python3
WORKDIR /opt/varve
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# zstd is compiled here, against the headers that the base image brings.
RUN cd node_modules/zstd-napi \
 && node /usr/local/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js rebuild --nodedir=/usr/local
# What only compiling, typing or another runtime needs stays behind.
RUN cd node_modules \
 && mv zstd-napi/build/Release/binding.node /tmp/ \
 && rm -r zstd-napi/build zstd-napi/deps zstd-napi/src \
 && mkdir -p zstd-napi/build/Release \
 && mv /tmp/binding.node zstd-napi/build/Release/ \
 && rm -r @types prebuild-install node-addon-api \
 && find . -type d -name prebuilds -prune -exec rm -r {} + \
 && find . -type f '(' -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' ')' -delete
COPY . .

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Varve" \
      org.opencontainers.image.description="Exact, fast, encrypted backups of Apache Kafka, and restores to a point in time" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# The package managers of the base have nothing to do here.
RUN rm -rf /usr/local/lib/node_modules /usr/local/include/node /opt/yarn* \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* \
 && echo 'varve:x:10001:' >> /etc/group \
 && echo 'varve:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
 && install -d -o 10001 -g 10001 /var/lib/varve \
 && ln -s /opt/varve/bin/varve.js /usr/local/bin/varve \
 && printf '#!/bin/sh\nexec varve restore "$@"\n' > /usr/local/bin/restore \
 && chmod 755 /usr/local/bin/restore
WORKDIR /opt/varve
COPY --from=build /opt/varve ./
# Types are stripped and modules compiled ahead, for this user: a restore starts in half the time.
ENV NODE_COMPILE_CACHE=/opt/varve/compiled
RUN install -d -o 10001 compiled \
 && setpriv --reuid=10001 --regid=10001 --clear-groups sh -c 'set -e; \
      for command in run restore backup check doctor list; do node src/main.ts $command --help > /tmp/help; done; \
      for file in child changing looking serving; do node src/target/$file.ts; done; rm /tmp/help' \
 && chown -R root:root compiled && chmod -R a+rX compiled
USER 10001:10001
# `run` serves /livez, which asks neither Kafka nor the target.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["node", "-e", \
  "fetch(`http://127.0.0.1:${process.env.VARVE_OBSERVE_PORT ?? 8080}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["run"]
