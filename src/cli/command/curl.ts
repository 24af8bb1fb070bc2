import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { duration, list, text, toggle } from '#daemon/flags.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'
import { type Answer, fetchFrom } from '#lab/connect.ts'
import { findStandpoint } from '#lab/standpoint.ts'

export const curl = defineCommand({
  name: 'curl',
  summary: 'send an HTTP request from a pod, a node, or from outside the cluster',
  usage: '[--from pod/NAME|node/NAME|client] URL',
  description:
    'The request leaves from the network namespace of the place that is named; without --from, from this machine.\n' +
    'A pod looks names up in the cluster DNS; nodes may be named anywhere.',
  examples: [
    'fairway curl --from pod/hostnames-0 http://hostnames/           # by its DNS name, from a pod',
    'fairway curl --from client http://node-1:30225/                 # by NodePort, from outside',
    'fairway curl --from pod/kube-system/kube-dns-0 http://10.96.0.1:443/',
  ],
  flags: {
    from: text({ help: 'where the request leaves from', placeholder: 'PLACE' }),
    include: toggle({ help: "show the answer's status and headers too", short: 'i' }),
    request: text({ help: 'the method', short: 'X', placeholder: 'METHOD' }),
    header: list({ help: 'a header', short: 'H', placeholder: 'NAME:VALUE', split: false }),
    data: text({ help: 'a body; the method is POST then', short: 'd', placeholder: 'TEXT' }),
    maxTime: duration({ help: 'how long the answer may take', default: '5s', short: 'm' }),
    ...clusterFlags,
  },
  async run(options, rest, { signal, stdout }) {
    const url = parseUrl(rest)
    const headers = Object.fromEntries(options.header.map(parseHeader))
    const plan = requireRunning(options.name)
    using place = await findStandpoint(plan, connect(loadKubeconfig(plan.paths.kubeconfig)), options.from)
    const { data } = options
    try {
      const answer = await fetchFrom(url, {
        netns: place.netns,
        names: place.names,
        timeoutMs: options.maxTime,
        method: options.request ?? (data === undefined ? 'GET' : 'POST'),
        headers,
        signal,
        ...(data !== undefined && { body: data }),
      })
      if (options.include) stdout.write(renderHead(answer))
      process.stdout.write(answer.body)
      return 0
    } catch (error) {
      throw noAnswer(url, place.label, error as NodeJS.ErrnoException)
    }
  },
})

function parseUrl([text, ...more]: readonly string[]): URL {
  const url = text === undefined ? null : URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url !== null && more.length === 0 && ['http:', 'https:'].includes(url.protocol)) return url
  throw new UserError(text === undefined ? 'which URL?' : `not one HTTP URL: ${[text, ...more].join(' ')}`, {
    code: 'BadArgument',
    exitCode: 2,
    remedy: 'for example: fairway curl --from client http://node-1:30225/',
  })
}

function parseHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(':')
  if (colon > 0) return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
  throw new UserError(`--header: not NAME:VALUE: ${text}`, { code: 'BadFlag', exitCode: 2 })
}

const renderHead = ({ status, headers }: Answer): string =>
  [`HTTP ${status}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`), '', ''].join('\n')

/** Exit codes as those of curl, for scripts that know them. */
function noAnswer(url: URL, from: string, error: NodeJS.ErrnoException): UserError {
  const [why, exitCode] = {
    ECONNREFUSED: ['refused: nobody listens there, or the Service has no endpoints', 7],
    EHOSTUNREACH: ['that host cannot be reached', 7],
    ENETUNREACH: ['no route leads there', 7],
    ENOTFOUND: ['there is no such name', 6],
    ETIMEOUT: ['DNS did not answer', 6],
    ESERVFAIL: ['DNS could not find out: the servers that it asks in turn do not answer', 6],
    ETIMEDOUT: ['no answer in time: the packets are dropped on the way, or the server is slow', 28],
  }[error.code ?? ''] ?? [error.message, 1]
  return new UserError(`${url.href} from ${from}: ${why}`, {
    code: error.code ?? 'NoAnswer',
    exitCode: exitCode as number,
    cause: error,
  })
}
