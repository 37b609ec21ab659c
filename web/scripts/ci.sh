#!/usr/bin/env bash
# The page's own checks, in a fresh clone: types and format, dist/ is current, the tests in a browser. Needs Node and
# npm; brings Debian's Chromium where it is missing and this may install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v "${CHROMIUM:-/usr/bin/chromium}" >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
npm ci --ignore-scripts
npm run ci
