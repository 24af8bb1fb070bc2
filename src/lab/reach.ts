// effect: TCP connections to the API server
// Can this machine reach its own cluster? Packets to the nodes pass this machine's firewall like any others of its own. A
// firewall that forbids them is not ours to change: it is named, with the rule that would let them through.
import { UserError } from '#daemon/error.ts'
import { connectFrom } from '#lab/connect.ts'
import { apiServerOf, apiServerPort, type ClusterPlan } from '#lab/plan.ts'

/** Throws a UserError where the API server answers inside the cluster's network, but not this machine. */
export async function checkReach(plan: ClusterPlan, limitMs = 3000): Promise<void> {
  const failure = await tryConnecting(plan, undefined, limitMs)
  if (failure === undefined || (await tryConnecting(plan, plan.router.netns, limitMs)) !== undefined) return
  const { link } = plan.uplink
  throw new UserError(
    `this machine cannot reach the cluster at ${apiServerOf(plan).ip} (${failure}), though the API server answers inside: a firewall of this machine is in the way`,
    {
      code: 'Firewall',
      remedy: `let packets of ${link} pass, for example: iptables -I INPUT -i ${link} -j ACCEPT; iptables -I OUTPUT -o ${link} -j ACCEPT`,
    },
  )
}

/** Why there is no connection; undefined where there is one. */
function tryConnecting(plan: ClusterPlan, netns: string | undefined, limitMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectFrom(netns, { host: apiServerOf(plan).ip, port: apiServerPort })
    const end = (reason: string | undefined) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(reason)
    }
    const timer = setTimeout(() => end('no answer'), limitMs)
    socket.on('connect', () => end(undefined))
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}
