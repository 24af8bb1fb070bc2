import * as assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createH2 } from 'node:http2'
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net'
import { after, test } from 'node:test'
import type { Probe } from '#api/core.ts'
import { runProbe } from '#node/probe/run-probe.ts'
import { RuntimeError, type Runtime } from '#node/runtime.ts'

const servers: Server[] = []
after(() => servers.forEach((server) => server.close()))
async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const web = await listen(
  createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x')
    if (pathname === '/ok') response.end(`hello ${request.headers.host}`)
    else if (pathname === '/here') response.writeHead(302, { location: '/ok' }).end()
    else if (pathname === '/there') response.writeHead(302, { location: 'http://elsewhere.example/' }).end('gone')
    else if (pathname === '/slow') setTimeout(() => response.end(), 60_000).unref()
    else response.writeHead(500).end('no')
  }),
)
const closed = await listen(createTcp())
servers.pop()!.close()
const grpc = await listen(
  createH2((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/grpc', trailer: 'grpc-status' })
    response.addTrailers({ 'grpc-status': '0' })
    response.end(Buffer.from([0, 0, 0, 0, 2, 0x08, 1]))
  }) as unknown as Server,
)

const runtime = {
  execSync: async (_id: string, command: readonly string[]) => {
    if (command[0] === 'late') throw new RuntimeError('Failed', 'command timed out')
    return { exitCode: command[0] === 'no' ? 1 : 0, stdout: Buffer.from(command.join(' ')), stderr: Buffer.from('!') }
  },
} as unknown as Runtime

const rows: readonly (readonly [string, Probe, string])[] = [
  ['http', { httpGet: { port: web, path: '/ok' } }, `success hello 127.0.0.1:${web}`],
  ['http by name', { httpGet: { port: 'web', path: '/ok' } }, `success hello 127.0.0.1:${web}`],
  ['http 500', { httpGet: { port: web, path: '/' } }, 'failure HTTP probe failed with statuscode: 500'],
  ['http, a redirect to the same host', { httpGet: { port: web, path: '/here' } }, `success hello 127.0.0.1:${web}`],
  [
    'http, a redirect away',
    { httpGet: { port: web, path: '/there' } },
    'warning Probe terminated redirects, Response body: gone',
  ],
  [
    'http refused',
    { httpGet: { port: closed } },
    `failure Get "http://127.0.0.1:${closed}/": dial tcp 127.0.0.1:${closed}: connect: connection refused`,
  ],
  [
    'http too slow',
    { httpGet: { port: web, path: '/slow' }, timeoutSeconds: 0.1 },
    `failure Get "http://127.0.0.1:${web}/slow": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  ],
  ['http, no such port', { httpGet: { port: 'none' } }, 'unknown couldn\'t find port: "none" in container c'],
  ['tcp', { tcpSocket: { port: web } }, 'success '],
  ['tcp refused', { tcpSocket: { port: closed } }, `failure dial tcp 127.0.0.1:${closed}: connect: connection refused`],
  ['exec', { exec: { command: ['yes', '$(WORD)'] } }, 'success yes there!'],
  ['exec fails', { exec: { command: ['no'] } }, 'failure no!'],
  ['exec too slow', { exec: { command: ['late'] } }, 'failure command timed out'],
  ['grpc', { grpc: { port: grpc } }, 'success '],
  [
    'grpc refused',
    { grpc: { port: closed } },
    `failure error: dial tcp 127.0.0.1:${closed}: connect: connection refused`,
  ],
]
for (const [name, probe, want] of rows)
  test(`probe by ${name}`, async () => {
    const container = {
      name: 'c',
      ports: [{ name: 'web', containerPort: web }],
      env: [{ name: 'WORD', value: 'there' }],
    }
    const { kind, message } = await runProbe(runtime, probe, { container, containerId: 'x', podIp: '127.0.0.1' })
    assert.equal(`${kind} ${message}`, want)
  })
