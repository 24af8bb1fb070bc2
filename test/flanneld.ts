// flannel's own program on a node of flannel-nodes.ts, beside ours or in place of it.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { withNetns } from '#kernel/netns.ts'
import type { TestNode } from '#test/flannel-nodes.ts'

/** Who keeps the leases, by a port of this machine's loopback; `kubeconfig` with `SERVER` where the address belongs. */
export type FlanneldKeeper =
  | { readonly kind: 'etcd'; readonly port: number }
  | { readonly kind: 'kubernetes'; readonly port: number; readonly kubeconfig: string; readonly config: object }

export type Flanneld = AsyncDisposable & {
  /** what it wrote lately */
  said(): string
  subnetFile: string
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const nodePort = 2379

/** Starts it; what it had before, the node's own range, it takes again. */
export async function startFlanneld(program: string, node: TestNode, keeper: FlanneldKeeper): Promise<Flanneld> {
  // A socket belongs to the namespace in which it was made, which is at once where no host has to be looked up: the node finds
  // the keeper on its own loopback.
  const relay = createServer((socket) => {
    const to = connect(keeper.port, '127.0.0.1')
    for (const one of [socket, to]) one.on('error', () => [socket, to].forEach((each) => each.destroy()))
    socket.pipe(to).pipe(socket)
  })
  await new Promise<void>((resolve) => withNetns(node.netns, () => relay.listen(nodePort, resolve)))
  const subnetFile = `${node.folder}/flanneld.env`
  mkdirSync(node.folder, { recursive: true })
  writeFileSync(subnetFile, `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=${node.subnets[4].replace('.0/', '.1/')}\n`)
  const words = [...keeperWords(node.folder, keeper), '--iface=eth0', `--subnet-file=${subnetFile}`, '--ip-masq']
  const env = { ...process.env, NODE_NAME: node.name }
  const child = withNetns(node.netns, () => spawn(program, words, { env, stdio: ['ignore', 'ignore', 'pipe'] }))
  let said = ''
  child.stderr!.on('data', (data) => (said = `${said}${String(data)}`.slice(-20_000)))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
    relay.close()
  }
  return { said: () => said, subnetFile, kill, [Symbol.asyncDispose]: () => kill('SIGTERM') }
}

function keeperWords(folder: string, keeper: FlanneldKeeper): readonly string[] {
  if (keeper.kind === 'etcd') return [`--etcd-endpoints=http://127.0.0.1:${nodePort}`]
  writeFileSync(`${folder}/kubeconfig`, keeper.kubeconfig.replace('SERVER', `https://127.0.0.1:${nodePort}`))
  writeFileSync(`${folder}/net-conf.json`, JSON.stringify(keeper.config))
  return ['--kube-subnet-mgr', `--kubeconfig-file=${folder}/kubeconfig`, `--net-config-path=${folder}/net-conf.json`]
}
