import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { snapshotCluster, snapshotRemote } from '#cli/command/live-snapshot.ts'
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, list, text, toggle } from '#daemon/flags.ts'
import { setTimeout } from 'node:timers/promises'
import { diagnose, type Diagnosis } from '#doctor/diagnose.ts'
import { placesOfCluster, placesOfThisNode } from '#cli/command/probe-places.ts'
import { compare } from '#doctor/compare/compare.ts'
import { planProbes } from '#doctor/probe/plan.ts'
import { reconcile } from '#doctor/probe/reconcile.ts'
import { runProbes } from '#doctor/probe/run.ts'
import { needsSecondLook } from '#doctor/second-look.ts'
import { renderReport, reportDocument } from '#doctor/report.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { manifestFile, type SnapshotFile } from '#doctor/snapshot/snapshot.ts'
import { readView, type View } from '#doctor/view.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'find out why Services do not answer, live or from files',
  usage: '[svc/[NAMESPACE/]NAME] [--snapshot FILE... | --rules FILE... --objects FILE...]',
  description:
    'Compares what the rules of every node do with what the API says that they should do, whatever program wrote them, and\n' +
    'looks for the usual faults of objects, DNS, endpoints, kernels and networks. A finding says what was seen, which\n' +
    'clients fail how, and by which command it is put right; fairway explain CODE tells more. Ends with 0 only if nothing\n' +
    'is wrong, with 1 otherwise. Files are told apart as fairway trace does; what is missing is said.',
  examples: [
    'fairway doctor                                                 # the cluster of this machine',
    'fairway doctor svc/hostnames                                   # one Service, in the order of a diagnosis',
    'fairway doctor svc/hostnames --probe                           # with real connections',
    'fairway doctor --snapshot cluster.tgz                          # mailed by somebody; also cluster-info dump, must-gather',
    'fairway doctor --rules iptables-save.txt --objects svc.yaml    # what there is',
  ],
  flags: {
    snapshot: list({ help: 'a snapshot, or a folder or archive of dumps', placeholder: 'FILE' }),
    rules: list({ help: 'a dump of a machine; - for standard input', placeholder: 'FILE' }),
    objects: list({ help: 'objects of the API: kubectl get -o json|yaml', placeholder: 'FILE' }),
    kubeconfig: text({
      help: 'of any other cluster; with the state of this machine, if it is a node',
      placeholder: 'FILE',
    }),
    probe: toggle({
      help: 'send real connections too, from pods and nodes, and from outside: 256 at most, 30 s at most',
    }),
    output: choice(['text', 'json'], { help: 'how to print', default: 'text', short: 'o' }),
    ...clusterFlags,
  },
  async run(options, rest, { signal, stdout, stderr }) {
    const only = serviceOf(rest)
    const look = () => filesOf(options, signal).then(readView)
    const view = await look()
    if (options.output === 'text') for (const problem of view.problems) stderr.write(`fairway: ${problem}\n`)
    if (view.nodes.length === 0 && view.kinds.size === 0)
      throw new UserError('none of the files tells anything of a cluster', {
        code: 'NoInputs',
        remedy: 'give a snapshot, dumps of rules, or kubectl get services,endpointslices,pods,nodes -A -o json',
      })
    const first = diagnose(view, only === undefined ? {} : { only })
    const isLive = [options.snapshot, options.rules, options.objects].every((paths) => paths.length === 0)
    if (options.probe && !isLive)
      throw new UserError('--probe sends connections into a live cluster, and files have none', {
        code: 'BadFlag',
        exitCode: 2,
        remedy: 'leave out --probe, or the files',
      })
    const confirmed = isLive ? await confirm(first, look, only, signal) : first
    const diagnosis = options.probe ? await probe(confirmed, await look(), options, only, signal) : confirmed
    stdout.write(
      options.output === 'json'
        ? `${JSON.stringify(reportDocument(diagnosis), undefined, 2)}\n`
        : renderReport(diagnosis),
    )
    return diagnosis.findings.length === 0 ? 0 : 1
  },
})

/** How long a proxy may take to follow what the first look saw. */
const settleMs = 1000

/** The same diagnosis with what real connections said. */
async function probe(
  diagnosis: Diagnosis,
  view: View,
  { kubeconfig, name }: Sources,
  only: string | undefined,
  signal: AbortSignal,
): Promise<Diagnosis> {
  using places = kubeconfig === undefined ? placesOfCluster(requireRunning(name), view) : placesOfThisNode(view)
  const plan = planProbes(view, compare(view, only), places, only)
  const probed = await runProbes(view, plan, places.netnsOf, signal)
  return reconcile(diagnosis, probed, plan.left + plan.probes.length - probed.length)
}

async function confirm(
  first: Diagnosis,
  look: () => Promise<View>,
  only: string | undefined,
  signal: AbortSignal,
): Promise<Diagnosis> {
  if (!needsSecondLook(first.look)) return first
  await setTimeout(settleMs, undefined, { signal })
  return diagnose(await look(), { before: first.look, ...(only !== undefined && { only }) })
}

function serviceOf([word, ...more]: readonly string[]): string | undefined {
  if (word === undefined) return undefined
  const match = /^(?:svc|service|services)\/(?:([^/]+)\/)?([^/]+)$/.exec(word)
  if (match !== null && more.length === 0) return `${match[1] ?? 'default'}/${match[2]}`
  throw new UserError(`not one Service: ${[word, ...more].join(' ')}`, {
    code: 'BadArgument',
    exitCode: 2,
    remedy: 'write svc/NAME or svc/NAMESPACE/NAME',
  })
}

type Sources = {
  readonly snapshot: readonly string[]
  readonly rules: readonly string[]
  readonly objects: readonly string[]
  readonly kubeconfig: string | undefined
  readonly name: string
}

async function filesOf(
  { snapshot, rules, objects, kubeconfig, name }: Sources,
  signal: AbortSignal,
): Promise<readonly SnapshotFile[]> {
  const paths = [...snapshot, ...rules, ...objects]
  if (paths.length > 0) return openInputs(paths)
  const { manifest, files } = await (kubeconfig === undefined
    ? snapshotCluster(requireRunning(name), signal)
    : snapshotRemote(kubeconfig, signal))
  return [manifestFile(manifest), ...files]
}
