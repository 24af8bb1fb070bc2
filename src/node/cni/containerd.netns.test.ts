// A real containerd runs an image out of a tar archive on our network: it finds the plugin and the conflist that
// `fairway cni install` has put where it looks, and ranges and MTU in flannel's subnet.env.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { openRoute } from '#kernel/route/open-route.ts'
import { needOwnNetwork } from '#node/testing/own-network.ts'
import { need } from '#test/need.ts'

const programs = ['containerd', 'ctr', 'crun', 'busybox', 'tar', 'sha256sum', 'unshare']
const skip = need({ root: true, programs }) || needOwnNetwork()

test(
  'containerd: a container of an imported image is on the network, and off it again',
  { skip, timeout: 60_000 },
  () => {
    const script = `set -e
mount -t tmpfs tmpfs /mnt
mount -t tmpfs tmpfs /opt
mount -t tmpfs tmpfs /var/lib
mkdir -p /mnt/etc /mnt/work /mnt/state /mnt/image/rootfs/bin /run/flannel
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work /etc
echo "$SUBNET_ENV" > /run/flannel/subnet.env
"$NODE" --disable-warning=ExperimentalWarning "$MAIN" cni install > /dev/null
printf '#!/bin/sh\\nexec crun --cgroup-manager=disabled "$@"\\n' > /mnt/crun
chmod 755 /mnt/crun
echo "$CONTAINERD" > /mnt/containerd.toml
cd /mnt/image
cp "$(command -v busybox)" rootfs/bin/busybox
tar -C rootfs -cf layer.tar .
digest=$(sha256sum layer.tar | cut -d' ' -f1)
echo '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:'$digest'"]}}' > config.json
echo '[{"Config":"config.json","RepoTags":["example.org/busybox:1"],"Layers":["layer.tar"]}]' > manifest.json
tar -cf image.tar manifest.json config.json layer.tar
containerd -c /mnt/containerd.toml > /mnt/log 2>&1 & pid=$!
trap 'kill $pid; wait $pid' EXIT
for i in $(seq 100); do [ -S /mnt/socket ] && break; sleep 0.1; done
ctr -a /mnt/socket images import image.tar > /dev/null
run="ctr -a /mnt/socket run --rm --cni --snapshotter native --runc-binary /mnt/crun example.org/busybox:1"
for name in first second; do $run $name /bin/busybox sh -c '/bin/busybox ip addr show eth0; /bin/busybox ip route'; done
echo leases: $(ls /var/lib/cni/networks/cbr0 | grep -v last)
`
    const env = {
      ...process.env,
      NODE: process.execPath,
      MAIN: new URL('../../cli/main.ts', import.meta.url).pathname,
      SUBNET_ENV: 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true',
      CONTAINERD:
        'version = 2\nroot = "/mnt/root"\nstate = "/mnt/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "/mnt/socket"',
    }
    const words = ['--mount', '--propagation', 'private', 'sh', '-c', script]
    const { status, stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8', env })
    assert.equal(status, 0, stderr)
    assert.equal(stdout.match(/mtu 1450/g)?.length, 2, stdout)
    // An address that was given back rests while others are free.
    assert.deepEqual(stdout.match(/inet \S+/g), ['inet 10.244.3.2/24', 'inet 10.244.3.3/24'])
    assert.match(stdout, /^default via 10\.244\.3\.1 dev eth0/m)
    assert.match(stdout, /^leases:$/m)
    using route = openRoute()
    assert.deepEqual(
      route.links().filter(({ name }) => /^veth[0-9a-f]{8}$/.test(name)),
      [],
    )
    route.deleteLink('cni0')
  },
)
