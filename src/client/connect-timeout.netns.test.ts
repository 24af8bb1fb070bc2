import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { need } from '#test/need.ts'

// A namespace where packets to one port vanish, as those to a virtual address do that no rule answers for yet.
const script = `
  import { connect } from '#client/client.ts'
  import { services } from '#api/core.ts'
  const client = connect({ server: 'http://127.0.0.1:7777' })
  await client.list(services).then(() => console.log('answered'), (error) => console.log(error.message))
`
const inside = `
  ip link set lo up
  iptables -A INPUT -p tcp --dport 7777 -j DROP
  exec "$NODE" --disable-warning=ExperimentalWarning --input-type=module -e "$SCRIPT"`

test(
  'client: a connection that hangs is given up, to be tried from another port',
  { skip: need({ root: true, programs: ['unshare', 'ip', 'iptables'] }) },
  () => {
    const env = { ...process.env, NODE: process.execPath, SCRIPT: script }
    const { stdout } = spawnSync('unshare', ['--net', 'sh', '-c', inside], { env, encoding: 'utf8', timeout: 30_000 })
    assert.match(stdout, /GET http:\/\/127\.0\.0\.1:7777\/api\/v1\/services: no connection within 3 seconds/)
  },
)
