// effect: the stand-in's own process
// The program inside the built-in images: what test pods commonly do, in the manner of Kubernetes' agnhost. It is one
// file of plain JavaScript (once its types are gone) on Node's own modules, without node:http, since every pod of a
// cluster may run one: it starts in about 40 ms and costs 9 MB of its own. The agent lays it into every container
// as /agnhost.

import type { RemoteInfo } from 'node:dgram'
import type { Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'

type Request = {
  readonly method: string
  readonly url: URL
  readonly headers: Map<string, string>
  readonly body: Buffer
}
type Answer = {
  readonly status?: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Buffer
}
type Handler = (request: Request, peer: Socket) => Answer | Promise<Answer>
type Flags = ReadonlyMap<string, string>

const builtin = process.getBuiltinModule
const net = builtin('node:net')
const hostname = builtin('node:os').hostname()

const programs: Record<string, (flags: Flags, words: readonly string[]) => void> = {
  'serve-hostname': (flags) => {
    const port = Number(flags.get('port') ?? 9376)
    if (flags.get('http') !== 'false') serveHttp(port, () => ({ body: hostname }))
    serveUdp(port, () => hostname)
  },
  netexec: (flags) => {
    serveHttp(Number(flags.get('http-port') ?? 8080), netexec)
    const udpPort = Number(flags.get('udp-port') ?? 8081)
    if (udpPort > 0) serveUdp(udpPort, answerUdp)
  },
  nginx: (flags) => {
    const root = flags.get('root') ?? '/usr/share/nginx/html'
    const handler = logged((request) => servePage(root, request))
    serveHttp(Number(flags.get('http-port') ?? 80), handler)
    serveTls(Number(flags.get('https-port') ?? 443), handler)
  },
  'test-webserver': (flags) => serveHttp(Number(flags.get('port') ?? 80), (request) => servePage('/', request)),
  liveness: () => {
    const start = performance.now()
    const isWell = () => performance.now() - start < 10_000
    serveHttp(8080, () => (isWell() ? { body: 'ok' } : { status: 500, body: 'error: has been alive for 10 s' }))
  },
  connect: (flags, [target = '']) => connectOnce(target, flags),
  'entrypoint-tester': (_flags, words) => say(`[${['/agnhost', 'entrypoint-tester', ...words].join(' ')}]`),
  pause: () => {
    say('Paused')
    setInterval(() => undefined, 2 ** 30)
  },
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

function fail(text: string, code = 1): never {
  process.stderr.write(`${text}\n`)
  process.exit(code)
}

// --- HTTP/1.1, as much of it as these programs need -------------------------------------------------------------------

function serveHttp(port: number, handler: Handler): void {
  net.createServer((socket) => talk(socket, handler)).listen(port, () => say(`Started HTTP server on port ${port}`))
}

function talk(socket: Socket, handler: Handler): void {
  let pending: Buffer = Buffer.alloc(0)
  let busy = false
  const next = async () => {
    if (busy) return
    const parsed = takeRequest(pending)
    if (parsed === 'bad') return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    if (parsed === undefined) return undefined
    busy = true
    pending = parsed.rest
    const { request } = parsed
    const answer = await Promise.resolve(handler(request, socket)).catch((error: Error) => ({
      status: 500,
      body: `${error.message}\n`,
    }))
    const close = request.headers.get('connection')?.toLowerCase() === 'close'
    socket.write(renderAnswer(request, answer, close))
    if (close) return void socket.end()
    busy = false
    return void next()
  }
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (data: Buffer) => {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data])
    void next()
  })
}

/** The first whole request of the bytes; undefined where there is none yet. */
function takeRequest(bytes: Buffer): { readonly request: Request; readonly rest: Buffer } | 'bad' | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return bytes.length > 65_536 ? 'bad' : undefined
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const [method = '', target = '', version] = first.split(' ')
  if (!version?.startsWith('HTTP/1.')) return 'bad'
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  if (version === 'HTTP/1.0' && !headers.has('connection')) headers.set('connection', 'close')
  const length = Number(headers.get('content-length') ?? 0)
  const from = end + 4
  if (Number.isNaN(length) || headers.has('transfer-encoding')) return 'bad'
  if (bytes.length < from + length) return undefined
  const url = URL.parse(target, 'http://pod')
  if (url === null) return 'bad'
  const body = bytes.subarray(from, from + length)
  return { request: { method, url, headers, body }, rest: bytes.subarray(from + length) }
}

const reasons: Record<number, string> = { 200: 'OK', 302: 'Found', 404: 'Not Found', 500: 'Internal Server Error' }

function renderAnswer(request: Request, answer: Answer, close: boolean): Buffer {
  const { status = 200, type = 'text/plain; charset=utf-8', headers = {}, body } = answer
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const head = [
    `HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}`,
    `Date: ${new Date().toUTCString()}`,
    `Content-Length: ${bytes.length}`,
    `Content-Type: ${type}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(close ? ['Connection: close'] : []),
  ].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), request.method === 'HEAD' ? Buffer.alloc(0) : bytes])
}

/** A TLS server whose modules and certificate are loaded with the first connection. */
function serveTls(port: number, handler: Handler): void {
  let server: TlsServer | undefined
  net
    .createServer((socket) => {
      socket.on('error', () => socket.destroy())
      server ??= builtin('node:tls').createServer(serverCertificate(), (secure) => talk(secure, handler))
      server.emit('connection', socket)
    })
    .listen(port, () => say(`Started HTTPS server on port ${port}`))
}

// --- a certificate that signs itself (RFC 5280), for names that nobody checks ------------------------------------------

/** The pair of files that nginx examples mount; without them one that is made now. */
function serverCertificate(): { key: string; cert: string } {
  const fs = builtin('node:fs')
  const folder = '/etc/nginx/ssl'
  try {
    return { key: fs.readFileSync(`${folder}/tls.key`, 'utf8'), cert: fs.readFileSync(`${folder}/tls.crt`, 'utf8') }
  } catch {
    return selfSigned()
  }
}

function selfSigned(): { key: string; cert: string } {
  const crypto = builtin('node:crypto')
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = (tag: number, ...parts: readonly Buffer[]) => {
    const body = Buffer.concat(parts)
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255]
    return Buffer.concat([Buffer.from([tag, ...length]), body])
  }
  const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts)
  const ecdsaWithSha256 = sequence(der(6, Buffer.from('2a8648ce3d040302', 'hex')))
  const name = sequence(der(0x31, sequence(der(6, Buffer.from('550403', 'hex')), der(0x0c, Buffer.from(hostname)))))
  const time = (year: number) => der(0x18, Buffer.from(`${year}0101000000Z`))
  const year = new Date().getUTCFullYear()
  const body = sequence(
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, Buffer.concat([Buffer.from([1]), crypto.randomBytes(8)])),
    ecdsaWithSha256,
    name,
    sequence(time(year), time(year + 10)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = der(3, Buffer.from([0]), crypto.sign('sha256', body, privateKey))
  const base64 = sequence(body, ecdsaWithSha256, signature).toString('base64')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`,
  }
}

// --- UDP ----------------------------------------------------------------------------------------------------------------

function serveUdp(port: number, answer: (text: string, from: RemoteInfo) => string | undefined): void {
  const listen = (type: 'udp6' | 'udp4') => {
    const socket = builtin('node:dgram').createSocket({ type })
    socket.on('message', (message, from) => {
      const text = answer(message.toString().trim(), from)
      if (text !== undefined) socket.send(text, from.port, from.address)
    })
    // A socket of the newer family serves both, unless the kernel has only the older one.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      type === 'udp6' && error.code === 'EAFNOSUPPORT' ? listen('udp4') : fail(`UDP port ${port}: ${error.message}`),
    )
    socket.bind(port, () => say(`Started UDP server on port ${port}`))
  }
  listen('udp6')
}

const plainAddress = (address = '') => address.replace(/^::ffff:/, '')

function answerUdp(text: string, from: RemoteInfo): string | undefined {
  const [command = '', ...words] = text.split(' ')
  if (command.toLowerCase() === 'hostname') return hostname
  if (command.toLowerCase() === 'clientip') return `${plainAddress(from.address)}:${from.port}`
  return command.toLowerCase() === 'echo' ? words.join(' ') : undefined
}

// --- netexec --------------------------------------------------------------------------------------------------------------

async function netexec({ url, headers, body }: Request, peer: Socket): Promise<Answer> {
  const parameter = (name: string) => url.searchParams.get(name) ?? ''
  switch (url.pathname.toLowerCase()) {
    case '/':
      return { body: `NOW: ${new Date().toISOString()}` }
    case '/hostname':
      return { body: hostname }
    case '/clientip':
      return { body: `${plainAddress(peer.remoteAddress)}:${peer.remotePort}` }
    case '/serverip':
      return { body: plainAddress(peer.localAddress) }
    case '/echo':
      return { body: parameter('msg') || body, ...(parameter('code') && { status: Number(parameter('code')) }) }
    case '/header':
      return { body: headers.get(parameter('key').toLowerCase()) ?? '' }
    case '/healthz':
      return { body: '' }
    case '/redirect':
      return { status: Number(parameter('code') || 302), headers: { Location: parameter('location') }, body: '' }
    case '/exit':
      setTimeout(() => process.exit(Number(parameter('code'))), parseSeconds(parameter('wait')))
      return { body: '' }
    case '/shell':
      return { type: 'application/json', body: await runShell(parameter('shellCommand') || parameter('cmd')) }
    case '/dial':
      return { type: 'application/json', body: JSON.stringify(await dial(parameter)) }
    default:
      return { status: 404, body: '404 page not found\n' }
  }
}

const parseSeconds = (text: string) => 1000 * Number.parseFloat(text || '0')

const runShell = (command: string) =>
  new Promise<string>((resolve) => {
    builtin('node:child_process').exec(command, (error, stdout, stderr) =>
      resolve(JSON.stringify({ output: stdout + stderr, ...(error && { error: error.message }) })),
    )
  })

/** Asks another pod, and says what each try answered. */
async function dial(parameter: (name: string) => string): Promise<{ responses: string[]; errors: string[] }> {
  const result = { responses: [] as string[], errors: [] as string[] }
  const [host, port] = [parameter('host'), Number(parameter('port') || 8080)]
  const request = parameter('request') || 'hostname'
  const ask = parameter('protocol') === 'udp' ? dialUdp : dialHttp
  for (let tries = Number(parameter('tries') || 1); tries > 0; tries--)
    await ask(host, port, request).then(
      (text) => result.responses.push(text),
      (error: Error) => result.errors.push(error.message),
    )
  return result
}

const dialHttp = (host: string, port: number, path: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: 5000 })
    let text = ''
    socket.setEncoding('utf8').end(`GET /${path} HTTP/1.0\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    socket.on('data', (data) => (text += String(data)))
    socket.on('end', () => resolve(text.slice(text.indexOf('\r\n\r\n') + 4)))
    socket.on('timeout', () => socket.destroy(new Error('timed out')))
    socket.on('error', reject)
  })

const dialUdp = (host: string, port: number, request: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = builtin('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(() => finish(() => reject(new Error('timed out'))), 2000)
    const finish = (end: () => void) => {
      clearTimeout(timer)
      socket.close()
      end()
    }
    socket.on('message', (message) => finish(() => resolve(message.toString())))
    socket.on('error', (error) => finish(() => reject(error)))
    socket.send(request, port, host)
  })

/** One connection, and exit codes by what came of it. */
function connectOnce(target: string, flags: Flags): void {
  const colon = target.lastIndexOf(':')
  const timeout = parseSeconds(flags.get('timeout') ?? '5')
  const socket = net.connect({
    host: target.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(target.slice(colon + 1)),
  })
  socket.setTimeout(timeout || 5000, () => fail('TIMEOUT'))
  socket.on('connect', () => process.exit(0))
  socket.on('error', (error: NodeJS.ErrnoException) =>
    fail(error.code === 'ECONNREFUSED' ? 'REFUSED' : error.code === 'ENOTFOUND' ? 'DNS' : `OTHER: ${error.message}`),
  )
}

// --- the page server -----------------------------------------------------------------------------------------------------

const logged =
  (handler: Handler): Handler =>
  async (request, peer) => {
    const answer = await handler(request, peer)
    const when = new Date().toISOString()
    const agent = request.headers.get('user-agent') ?? '-'
    const asked = `${request.method} ${request.url.pathname}${request.url.search} HTTP/1.1`
    say(
      `${plainAddress(peer.remoteAddress)} - - [${when}] "${asked}" ${answer.status ?? 200} ${answer.body.length} "-" "${agent}"`,
    )
    return answer
  }

const welcome = `<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page comes from ${hostname}, where Fairway's stand-in runs in place of the nginx image.</p>
</body>
</html>
`
const types: Record<string, string> = {
  html: 'text/html',
  css: 'text/css',
  js: 'text/javascript',
  json: 'application/json',
}

/** A file below `root`; without such a folder, the welcome page. */
function servePage(root: string, { url }: Request): Answer {
  const fs = builtin('node:fs')
  const path = decodeURIComponent(url.pathname)
  if (!fs.existsSync(root))
    return path === '/' || path === '/index.html'
      ? { type: 'text/html', body: welcome }
      : { status: 404, type: 'text/html', body: '<h1>404 Not Found</h1>\n' }
  const file = builtin('node:path').join(
    root,
    builtin('node:path').posix.normalize(path),
    path.endsWith('/') ? 'index.html' : '',
  )
  try {
    return { type: types[file.split('.').at(-1)!] ?? 'text/plain', body: fs.readFileSync(file) }
  } catch {
    return { status: 404, type: 'text/html', body: '<h1>404 Not Found</h1>\n' }
  }
}

// --- start ------------------------------------------------------------------------------------------------------------------

function main([name = 'pause', ...rest]: readonly string[]): void {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined
  if (!program) fail(`unknown command "${name}"; known: ${Object.keys(programs).join(', ')}`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
  process.on('uncaughtException', (error) => fail(error.message))
  const flags = rest.flatMap((word): [string, string][] => {
    const match = /^--?([a-z-]+)(?:=(.*))?$/.exec(word)
    return match ? [[match[1]!, match[2] ?? 'true']] : []
  })
  const words = rest.filter((word) => !word.startsWith('-'))
  program(new Map(flags), words)
}

main(process.argv.slice(2))
