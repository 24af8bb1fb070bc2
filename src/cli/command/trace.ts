import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { snapshotCluster } from '#cli/command/live-snapshot.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, list, number, text, toggle } from '#daemon/flags.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import type { SnapshotFile } from '#doctor/snapshot/snapshot.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'
import { hostNamed } from '#lab/plan.ts'
import { closestRules } from '#trace/closest.ts'
import { explain } from '#trace/explain.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { readQuestion } from '#trace/target.ts'
import { traceDocument } from '#trace/trace-json.ts'
import { TraceError, traceWorld } from '#trace/trace.ts'

export const trace = defineCommand({
  name: 'trace',
  summary: 'say why a packet goes where it goes, live or from dumps',
  usage: '--from PLACE --to PLACE:PORT[/tcp|udp|sctp] [--snapshot FILE | --rules FILE...]',
  description:
    'Walks one packet and its answer from machine to machine, and prints every way it may take, with its share, the\n' +
    'rules that led there, what the client sees in the end, and what the inputs did not tell. Without files it looks at a\n' +
    'cluster of this machine.\n' +
    'Files are told apart by what they say, not by name: iptables-save, iptables -L -v -n, nft list ruleset (-j), ipset\n' +
    'save, ipvsadm -Sn or -Ln, conntrack -L, ip addr|link|route|rule|neigh (-j), bridge fdb, sysctl -a, ss -lntu,\n' +
    'kubectl get -o json|yaml; any subset, also as a folder or tar with one folder for each node (nodes/NAME/...).',
  examples: [
    'fairway trace --from pod/web-0 --to svc/hostnames:80                           # in the cluster of this machine',
    'fairway trace --from 192.0.2.7 --to node/node-2:30080 --snapshot cluster.tgz   # mailed by somebody',
    'fairway trace --from 10.244.1.9 --to 10.0.1.175:80 --rules iptables-save.txt   # nothing but a dump',
  ],
  flags: {
    from: text({ help: 'IP, pod/[NAMESPACE/]NAME, node/NAME, client', placeholder: 'PLACE', required: true }),
    to: text({
      help: 'IP:PORT, or svc, pod or node/NAME:PORT, with /tcp (default), /udp, /sctp',
      placeholder: 'PLACE',
      required: true,
    }),
    snapshot: list({ help: 'a snapshot, or a folder or archive of dumps', placeholder: 'FILE' }),
    rules: list({ help: 'a dump of a machine, or objects of the API; - for standard input', placeholder: 'FILE' }),
    at: text({ help: 'the node where a packet from outside enters', placeholder: 'NODE' }),
    size: number({ help: 'length of the packet in bytes', default: 60, min: 28, max: 65_535 }),
    all: toggle({ help: 'show every rule that was looked at' }),
    output: choice(['text', 'json'], { help: 'how to print', default: 'text', short: 'o' }),
    ...clusterFlags,
  },
  async run(options, rest, { signal, stdout, stderr }) {
    takesNone('trace', rest)
    const { all, output, at } = options
    const { files, from } = await inputsOf(options, signal)
    const { world, problems } = readWorld(files)
    if (output === 'text') for (const problem of problems) stderr.write(`fairway: ${problem}\n`)
    if (world.machines.length === 0)
      throw new UserError('none of the files tells anything of a machine', {
        code: 'NoRules',
        remedy: 'give the output of iptables-save, nft list ruleset or ipvsadm -Sn of a node',
      })
    try {
      const question = readQuestion(world, from, options.to, { size: options.size })
      const ways = traceWorld(world, { ...question, all, ...(at !== undefined && { enters: at }) })
      const { packet } = question
      const closest = closestRules(world.machines, packet, ways)
      if (output === 'text') stdout.write(explain(packet, ways, { all, closest }))
      else stdout.write(`${JSON.stringify(traceDocument(packet, ways, { closest, problems }), null, 2)}\n`)
    } catch (error) {
      if (!(error instanceof TraceError)) throw error
      throw new UserError(error.message, { code: error.code, exitCode: 2, remedy: error.remedy })
    }
  },
})

type Inputs = { readonly files: readonly SnapshotFile[]; readonly from: string }

async function inputsOf(
  {
    snapshot,
    rules,
    from,
    name,
  }: {
    readonly snapshot: readonly string[]
    readonly rules: readonly string[]
    readonly from: string
    readonly name: string
  },
  signal: AbortSignal,
): Promise<Inputs> {
  if (snapshot.length + rules.length > 0) return { files: openInputs([...snapshot, ...rules]), from }
  const plan = requireRunning(name)
  const { files } = await snapshotCluster(plan, signal)
  return { files, from: from === 'client' ? (hostNamed(plan, 'client')?.ip ?? from) : from }
}
