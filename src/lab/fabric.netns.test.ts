import * as assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { mounts } from '#kernel/mount.ts'
import { withNamespaces, withNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { readSysctl } from '#kernel/sysctl.ts'
import { isRunning, makeFabric, removeFabric } from '#lab/fabric.ts'
import { connectFrom } from '#lab/connect.ts'
import { newCluster } from '#lab/cluster.ts'
import { defaultOptions } from '#lab/options.ts'
import { hostNamed, planCluster } from '#lab/plan.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true })
const options = { ...defaultOptions, name: `t-fabric-${process.pid}`, lanCidr: '10.169.7.0/24' }
const plan = planCluster(newCluster(options, 2))
const remove = () => removeFabric(options.name, plan.paths)
const left = () => {
  using own = openRoute()
  return {
    links: own.links().map(({ name }) => name),
    mounts: mounts().map(({ target }) => target),
    runtime: existsSync(plan.paths.runtime),
    names: existsSync('/run/netns')
      ? readdirSync('/run/netns').filter((name) => name.startsWith(plan.options.name))
      : [],
  }
}

test('a fabric: everyone reaches everyone, and nothing is left of it', { skip }, async () => {
  const before = left()
  makeFabric(plan)
  try {
    assert.equal(isRunning(plan), true)
    const [one, two, client] = ['node-1', 'node-2', 'client'].map((name) => hostNamed(plan, name)!)
    const server = await new Promise<ReturnType<typeof createServer>>((resolve) => {
      const server = createServer((socket) => socket.end(`${socket.remoteAddress}`))
      withNetns(two!.namespaces.net, () => server.listen(8080, () => resolve(server)))
    })
    for (const from of [one!, client!, undefined])
      assert.equal(
        await readAll(from?.namespaces.net, two!.ip),
        `::ffff:${from?.ip ?? plan.uplink.ip}`,
        `from ${from?.name ?? 'here'}`,
      )
    await new Promise((resolve) => server.close(resolve))
    const inside = withNamespaces(one!.namespaces, () => ({
      name: hostname(),
      links: readdirSync('/sys/class/net').sort(),
      run: readdirSync('/run').sort(),
    }))
    assert.deepEqual(inside, { name: 'node-1', links: ['eth0', 'lo'], run: ['lock', 'netns'] })
    assert.equal(readSysctl('net/ipv4/ip_forward', one!.namespaces.net), '1')
    assert.equal(existsSync(`/run/netns/${plan.options.name}-node-1`), true)
    makeFabric(plan)
    assert.equal(
      await readAll(one!.namespaces.net, two!.ip).catch((error: NodeJS.ErrnoException) => error.code),
      'ECONNREFUSED',
    )
  } finally {
    remove()
  }
  assert.deepEqual(left(), before)
  remove()
  assert.deepEqual(left(), before)
})

const readAll = (netns: string | undefined, host: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connectFrom(netns, { host, port: 8080 })
    let text = ''
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
