// In a network namespace of its own: a cluster with a load balancer whose pods are on every node; again and again the node that
// answers is killed, and a client outside connects every 10 ms. Prints one line of JSON: milliseconds from the kill to the
// first answer, by round.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

const run = (...words: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync('./fairway', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`fairway ${words.join(' ')}: ${stdout}${stderr}`)
  return stdout
}
const kubectl = (...words: readonly string[]) =>
  spawnSync('kubectl', words, {
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: '/var/lib/fairway/fairway/kubeconfig' },
  }).stdout

/** Connects until it is told to end; each answer is a line with its time. */
const client = `
  const { connect } = require('node:net')
  const [host, port] = [process.argv[1], 80]
  setInterval(() => {
    const socket = connect({ host, port, timeout: 200 }, () => {
      console.log(performance.timeOrigin + performance.now())
      socket.destroy()
    })
    socket.on('timeout', () => socket.destroy())
    socket.on('error', () => {})
  }, 10)
  setTimeout(() => process.exit(), 20000)
`

function answerer(ip: string): string {
  const mac = /lladdr (\S+)/.exec(run('exec', 'router', '--', 'ip', 'neigh', 'show', ip))?.[1]
  for (const node of kubectl('get', 'nodes', '-o', 'name')
    .trim()
    .split('\n')
    .map((name) => name.replace('node/', ''))) {
    const { stdout } = spawnSync('./fairway', ['exec', `node/${node}`, '--', 'cat', '/sys/class/net/eth0/address'], {
      encoding: 'utf8',
    })
    if (stdout.trim() === mac) return node
  }
  throw new Error(`nobody answers for ${ip}`)
}

async function round(ip: string): Promise<number> {
  const asking = spawn('ip', ['netns', 'exec', 'fairway-client', process.execPath, '-e', client, ip], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const answers: number[] = []
  asking.stdout.setEncoding('utf8').on('data', (lines: string) => answers.push(...lines.trim().split('\n').map(Number)))
  await once(asking.stdout, 'data')
  const node = answerer(ip)
  const killedMs = performance.timeOrigin + performance.now()
  run('node', 'kill', node)
  const doneMs = performance.timeOrigin + performance.now()
  const first = () => answers.find((at) => at > doneMs)
  for (let i = 0; i < 2000 && first() === undefined; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  asking.kill()
  run('node', 'start', node)
  return (first() ?? Number.NaN) - killedMs
}

const rounds = Number(process.argv[2])
try {
  run('up', '--no-install', '-f', 'bench/balancer/service.yaml')
  const ip = kubectl('get', 'service', 'everywhere', '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}')
  const samples: number[] = []
  for (let i = 0; i < rounds; i++) samples.push(await round(ip))
  console.log(JSON.stringify({ samples }))
} finally {
  run('down')
}
