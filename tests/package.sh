#!/usr/bin/env bash
# Builds the Debian package and installs it in a clean Debian: a node is started by the command line
# of its unit, the package is upgraded while it runs, removed and purged, and the data stay.
# Exit code 3: it cannot run here.
# Usage: tests/package.sh --build          build target/deb/*.deb only
#        tests/package.sh [EARLIER.deb]    EARLIER.deb is installed before this version
# DEBIAN_ROOT is a folder that debootstrap made; it is copied (default: a new one from the network).
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
cannot() {
    echo "$1" >&2
    exit 3
}
step() { printf '\n-- %s\n' "$*"; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Builds a package of this version with the given Debian revision in a folder and prints its path.
package() {
    local file=$2/blockchain_$version-$1_$architecture.deb
    mkdir -p "$2"
    if cargo deb --version >/dev/null 2>&1; then
        cargo deb --quiet --no-build --deb-revision "$1" --output "$file" >&2
    else
        python3 tests/dpkg_deb.py "$target" "$version-$1" "$architecture" "$file" >&2
    fi
    echo "$file"
}

command -v dpkg-deb >/dev/null || cannot "dpkg-deb is missing"
step "build"
cargo build --release --locked
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
architecture=$(dpkg --print-architecture)
binary=$target/release/blockchain
generated=$target/release/package
rm -rf "$generated"
"$binary" man --dir "$generated/man"
gzip -9 --no-name "$generated"/man/*.1
"$binary" completions bash >"$generated/blockchain.bash"
"$binary" completions zsh >"$generated/_blockchain"
"$binary" completions fish >"$generated/blockchain.fish"
bash -n "$generated/blockchain.bash"
if cargo deb --version >/dev/null 2>&1; then
    echo "by $(cargo deb --version | head -1)"
else
    echo "by dpkg-deb, from the metadata for cargo-deb, which is not installed"
fi
# Not in target/debian, where cargo-deb removes the packages that it finds.
deb=$(package 1 "$target/deb")
dpkg-deb --info "$deb"
if [ "${1:-}" = --build ]; then exit; fi

[ "$(id -u)" = 0 ] || cannot "only root can install a package"
if [ -z "${DEBIAN_ROOT:-}" ]; then
    command -v debootstrap >/dev/null || cannot "debootstrap is missing"
fi
folder=$(mktemp -d)
root=$folder/root
node=
clean_up() {
    status=$?
    if [ $status -ne 0 ] && [ -e "$folder/log" ]; then tail -20 "$folder/log" >&2; fi
    if [ -n "$node" ]; then
        kill "$node" 2>/dev/null || true
        wait "$node" || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

step "a clean Debian"
if [ -n "${DEBIAN_ROOT:-}" ]; then
    cp -a "$DEBIAN_ROOT" "$root"
else
    debootstrap --variant=minbase bookworm "$root" >"$folder/debootstrap" ||
        cannot "$(tail -5 "$folder/debootstrap")"
fi
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
# Installs a package without asking anything.
install() {
    cp "$1" "$root/tmp/package.deb"
    inside DEBIAN_FRONTEND=noninteractive dpkg --install /tmp/package.deb
    rm "$root/tmp/package.deb"
}

units=usr/lib/systemd/system
# The value of a setting of the unit of the node.
setting() { sed -n "s/^$1=//p" "$root/$units/blockchain.service" | sed 's|%S|/var/lib|'; }

port=
# Starts the node as its unit does: command line, environment, user, folder.
start() {
    local user
    user=$(sed -n 's/^User=//p' "$root/$units/blockchain.service.d/user.conf")
    : >"$folder/log"
    # shellcheck disable=SC2046 # The words of the command line.
    chroot --userspec="$user:$user" "$root" env -i PATH=/usr/bin HOME=/nonexistent \
        "$(setting Environment)" BLOCKCHAIN_NODE_PORT=0 BLOCKCHAIN_NODE_DIFFICULTY=1 \
        $(setting ExecStart) >"$folder/log" 2>&1 &
    node=$!
    local deadline=$((SECONDS + 60))
    until port=$(sed -n 's/.*listening.*address=[0-9.]*:\([0-9]*\).*/\1/p' "$folder/log" | tail -1) &&
        [ -n "$port" ]; do
        kill -0 "$node" 2>/dev/null || fail "the node ended: $(cat "$folder/log")"
        [ $SECONDS -lt $deadline ] || fail "the node does not listen: $(cat "$folder/log")"
        sleep 0.2
    done
}

stop() {
    kill -TERM "$node"
    wait "$node" || fail "the node ended with $?: $(cat "$folder/log")"
    node=
}

# Digests of the files that a removal must not change.
digests() { (cd "$root/var/lib/blockchain" && find . -type f -exec sha256sum {} + | sort); }

step "install ${1:-this version}"
install "${1:-$deb}"
inside blockchain --version
[ "$(inside stat -c '%U %a' /var/lib/blockchain)" = "blockchain 700" ] || fail "wrong owner of the data"
pages=$(find "$root/usr/share/man/man1" -name 'blockchain*.1.gz' | wc -l)
[ "$pages" = "$(find "$generated/man" -name '*.1.gz' | wc -l)" ] || fail "$pages man pages"
for file in bash-completion/completions/blockchain zsh/vendor-completions/_blockchain \
    fish/vendor_completions.d/blockchain.fish doc/blockchain/copyright; do
    [ -s "$root/usr/share/$file" ] || fail "/usr/share/$file is missing"
done
if command -v systemd-analyze >/dev/null; then
    for unit in blockchain.service blockchain-monitor.service blockchain-monitor.timer \
        blockchain-journal.service; do
        # The clean Debian has no targets.
        found=$(systemd-analyze verify --root="$root" --man=no "$unit" 2>&1 | grep -F blockchain |
            grep -v 'Unit .* not found' || true)
        [ -z "$found" ] || fail "$unit: $found"
    done
fi

step "the node runs by the command line of its unit"
start
inside blockchain add "before the upgrade" --port "$port" --wait

step "upgrade over the running node"
install "$(package 2 "$folder/debian")"
inside blockchain get chain --port "$port" >"$folder/chain"
grep -q "before the upgrade" "$folder/chain" || fail "the message is gone"
stop
start
inside blockchain add "after the upgrade" --port "$port" --wait
inside blockchain get chain --port "$port" >"$folder/chain"
grep -q "before the upgrade" "$folder/chain" || fail "the message is gone"
stop
digests >"$folder/before"

step "remove and purge"
inside DEBIAN_FRONTEND=noninteractive dpkg --remove blockchain
[ ! -e "$root/usr/bin/blockchain" ] || fail "the binary is left"
digests | diff "$folder/before" - || fail "the removal changed the data"
inside DEBIAN_FRONTEND=noninteractive dpkg --purge blockchain
digests | diff "$folder/before" - || fail "the purge changed the data"
[ "$(inside stat -c '%U' /var/lib/blockchain)" = blockchain ] || fail "the data have another owner"
left=$(find "$root/usr" "$root/etc" -name '*blockchain*')
[ -z "$left" ] || fail "left behind: $left"

step "install again: the chain is still there"
install "$deb"
start
inside blockchain get chain --port "$port" >"$folder/chain"
grep -q "after the upgrade" "$folder/chain" || fail "the message is gone"
stop
inside blockchain verify --db /var/lib/blockchain

step "passed"
