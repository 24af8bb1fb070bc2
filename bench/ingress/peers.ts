// effect: nginx, HAProxy and Node as proxies
// Proxies that do the least that an Ingress needs, each on one core: the headers, and connections to the endpoint that are kept.
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'

export const ports = {
  pod: 18080,
  other: 18085,
  fairway: 18081,
  https: 18444,
  nginx: 18082,
  node: 18083,
  haproxy: 18084,
}

/** One worker each, as HAProxy has one thread; connections to the endpoint are kept. */
const nginx = (folder: string, name: string, http: string) => `
worker_processes 1; daemon off; pid ${folder}/${name}.pid; error_log stderr crit;
events { worker_connections 2000; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path ${folder}/${name}-body; proxy_temp_path ${folder}/${name}-proxy;
  fastcgi_temp_path ${folder}/${name}-f; uwsgi_temp_path ${folder}/${name}-u; scgi_temp_path ${folder}/${name}-s; ${http} }`
const podConfig = `server { listen 127.0.0.1:${ports.pod}; location / { return 200 "pod"; } }
  server { listen 127.0.0.1:${ports.other}; location / { return 200 "other"; } }`
const nginxConfig = `upstream pod { server 127.0.0.1:${ports.pod}; keepalive 128; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${ports.nginx}; location / { proxy_pass http://pod; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Request-ID $request_id; } }`

function startNginx(folder: string, name: string, http: string): ChildProcess {
  writeFileSync(`${folder}/${name}.conf`, nginx(folder, name, http))
  return spawn('nginx', ['-e', 'stderr', '-c', `${folder}/${name}.conf`], { stdio: 'inherit' })
}

/** One back end, and the headers and retries that nginx has too. */
const haproxyConfig = `global
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
frontend web
  bind 127.0.0.1:${ports.haproxy}
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-ID %[uuid()]
  default_backend pod
backend pod
  server pod 127.0.0.1:${ports.pod}
`

/** The least that a proxy on Node can be: a lookup, the headers, and kept connections. */
const nodeProxy = `
const http = require('node:http')
const agent = new http.Agent({ keepAlive: true, maxSockets: 128 })
const routes = new Map([['host-1.test', ${ports.pod}]])
http.createServer((request, response) => {
  const port = routes.get(request.headers.host)
  if (port === undefined) return response.writeHead(404).end()
  const headers = { ...request.headers, 'x-forwarded-for': request.socket.remoteAddress, 'x-forwarded-proto': 'http',
    'x-forwarded-host': request.headers.host, 'x-real-ip': request.socket.remoteAddress, 'x-request-id': crypto.randomUUID() }
  const out = http.request({ agent, host: '127.0.0.1', port, method: request.method, path: request.url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  out.on('error', () => response.writeHead(502).end())
  request.pipe(out)
}).listen(${ports.node}, '127.0.0.1')
`

/** The endpoints, and the proxies before them. Each gets SIGTERM from the caller. */
export function startPeers(folder: string): Readonly<Record<'pod' | 'nginx' | 'haproxy' | 'node', ChildProcess>> {
  writeFileSync(`${folder}/haproxy.cfg`, haproxyConfig)
  return {
    pod: startNginx(folder, 'pod', podConfig),
    nginx: startNginx(folder, 'nginx', nginxConfig),
    haproxy: spawn('haproxy', ['-db', '-f', `${folder}/haproxy.cfg`], { stdio: 'inherit' }),
    node: spawn(process.execPath, ['-e', nodeProxy], { stdio: 'inherit' }),
  }
}
