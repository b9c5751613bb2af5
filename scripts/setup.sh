#!/bin/sh
# Installs what the build and the tests need: Debian packages (only those missing) and npm packages at their pinned versions.
set -eu
cd "$(dirname "$0")/.."

# Elsewhere packages have other names and kernels other files: one line, before anything is installed.
system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-?} ${VERSION_ID:-99} ${PRETTY_NAME:-${ID:-another system}}") || system='? 0 another system'
architecture=$(dpkg --print-architecture 2>/dev/null) || architecture=$(uname -m)
id=${system%% *} version=${system#* }
if [ "$id" != debian ] || ! [ "${version%%[!0-9]*}" -ge 12 ] || [ "$architecture" != amd64 ]; then
  echo "setup: VIVER is built on Debian 12 or newer, amd64 (in a container or a virtual machine too); this is ${version#* }, $architecture" >&2
  exit 1
fi

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

wanted=$(sed 's/#.*//' scripts/apt-packages.txt)
command -v npm >/dev/null || wanted="$wanted nodejs npm"
missing=
for package in $wanted; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "setup: installing$missing"
  as_root apt-get update -q
  # Servers among them (nginx, nbd-server) are run by tests on their own ports; as services of this machine nobody
  # asked for them: a policy for the time of the install, unless the machine has its own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi
# Install scripts are not needed by any package here, so none is trusted to run.
npm_ci() { npm ci --ignore-scripts --no-audit --no-fund "$@"; }
# The first pass is for Node 26. An npm that an older Node runs (Debian 12's: 18) leaves out packages that ask for a newer
# one where they are optional, and with them programs for this processor: so Node 26 itself does the second.
npm_ci --loglevel=error
set -- node_modules/node-linux-*/bin/node
[ -x "$1" ] || { echo "setup: npm has no Node for this processor ($(uname -m)): amd64 and arm64 are supported" >&2; exit 1; }
if [ "$(node --version)" != "$("$1" --version)" ]; then
  first=build/.node
  mkdir -p $first
  ln -f "$1" $first/node
  (PATH="$PWD/$first:$PATH" && npm_ci)
  rm -r $first
fi
# Not linked by the npm of Debian 12 (9.2): its package has a sister for another processor, which is not installed, with a
# program of the same name.
ln -sf "../${1#node_modules/}" node_modules/.bin/node
