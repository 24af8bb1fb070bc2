import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFeatures, checkPackages, checkPlatform, checkRoutes, features, nextLan } from '#lab/machine.ts'
import { defaultOptions } from '#lab/options.ts'

test('no Linux', () =>
  assert.throws(() => checkPlatform({ platform: 'darwin', isRoot: true }), {
    code: 'NoLinux',
    message: /needs Linux.*this is darwin/,
  }))

test('not root', () =>
  assert.throws(() => checkPlatform({ platform: 'linux', isRoot: false }), { code: 'NotRoot', remedy: /sudo/ }))

test('missing programs are installed, or the command is named', () => {
  const machine = { missing: ['crun', 'iptables-restore'], canInstall: true }
  assert.deepEqual(checkPackages({ missing: [], canInstall: false }, false), [])
  assert.deepEqual(checkPackages(machine, true), ['crun', 'iptables'])
  assert.throws(() => checkPackages(machine, false), {
    code: 'MissingProgram',
    message: 'programs are missing: crun, iptables-restore',
    remedy: 'run: apt-get install -y crun iptables',
  })
  assert.throws(() => checkPackages({ missing: ['conmon'], canInstall: false }, true), {
    message: 'a program is missing: conmon',
    remedy: 'install the packages conmon (on Debian: apt-get install -y conmon)',
  })
})

test('missing kernel features', () => {
  const machine = { missingFeatures: [features.find(({ module }) => module === 'br_netfilter')!] }
  assert.deepEqual(checkFeatures({ missingFeatures: [] }, 'nftables', false), [])
  assert.deepEqual(checkFeatures(machine, 'nftables', true), ['br_netfilter'])
  const without = { missingFeatures: [features.find(({ module }) => module === 'ip_vs')!] }
  assert.deepEqual(checkFeatures(without, 'iptables', false), [])
  assert.throws(() => checkFeatures(without, 'ipvs', false), {
    message: 'the kernel lacks ip_vs (Services in IPVS mode)',
  })
  assert.throws(() => checkFeatures(machine, 'nftables', false), {
    code: 'MissingKernelFeature',
    message: 'the kernel lacks br_netfilter (pods on one bridge reach each other through Services)',
    remedy: 'give --load-modules, or run: modprobe br_netfilter',
  })
})

const collisions = [
  ['the same network', '10.168.0.0/24', /10.168.0.0\/24 collides with this machine's route to 10.168.0.0\/24 \(eth0\)/],
  ['a larger one', '10.0.0.0/8', /route to 10.0.0.0\/8/],
  ['a single address in it', '10.168.0.77/32', /route to 10.168.0.77\/32/],
] as const
for (const [name, destination, message] of collisions)
  test(`routes: ${name}`, () =>
    assert.throws(() => checkRoutes({ routes: [{ destination, link: 'eth0' }] }, defaultOptions, 'fw-fairway'), {
      code: 'SubnetCollision',
      message,
      remedy: destination === '10.0.0.0/8' ? /--lan-cidr 172.30.0.0\/24/ : /--lan-cidr 10.168.1.0\/24/,
    }))

test('routes: neighbours and our own do not collide', () =>
  checkRoutes(
    {
      routes: [
        { destination: '10.167.0.0/16', link: 'eth0' },
        { destination: '10.168.1.0/24', link: 'fw-other' },
        { destination: '10.168.0.0/24', link: 'fw-fairway' },
      ],
    },
    defaultOptions,
    'fw-fairway',
  ))

test('each cluster of a machine has a network of its own', () => {
  assert.equal(nextLan([]), '10.168.0.0/24')
  assert.equal(nextLan(['10.168.0.0/24', '10.168.2.0/24']), '10.168.1.0/24')
})
