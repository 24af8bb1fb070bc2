import { partCommand } from '#cli/part-command.ts'
import { connect } from '#client/client.ts'
import { UserError } from '#daemon/error.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { list, number, text } from '#daemon/flags.ts'
import { isValidIp } from '#lib/ip.ts'
import { run } from '#dns/main.ts'
import type { Kubeconfig } from '#dns/view.ts'

export const dns = partCommand({
  name: 'dns',
  summary: "answer the cluster's names, configured by a Corefile",
  description:
    'Does what CoreDNS does, with the same Corefile: plugins bind, cache, errors, forward, health, hosts, kubernetes,\n' +
    'log, loadbalance, loop, prometheus, ready, reload and rewrite. It lists and watches services, endpointslices and\n' +
    'namespaces (pods too where pod names are verified), and answers from memory while the API server is away.',
  examples: [
    'fairway dns --conf /etc/coredns/Corefile        # in a pod, with its service account',
    'fairway dns --conf ./Corefile --kubeconfig ~/.kube/config --address 127.0.0.1',
    'fairway dns --node-local 169.254.20.10,10.96.0.10  # on each node, in place of node-local-dns',
    'fairway dns --conf ./Corefile --threads 2       # answer UDP by batches on two cores',
  ],
  flags: {
    conf: text({ help: 'the Corefile', placeholder: 'FILE', default: 'Corefile' }),
    address: text({
      help: 'where to listen, unless the Corefile has `bind`',
      placeholder: 'ADDRESS',
      default: '0.0.0.0',
    }),
    nodeLocal: list({
      help: 'addresses that this process gives its node and answers on, past connection tracking: 169.254.20.10',
      placeholder: 'ADDRESS',
    }),
    threads: number({
      help: 'threads of their own that answer UDP; 0: the main thread does',
      default: 0,
      min: 0,
      max: 64,
    }),
  },
  run({ conf, address, nodeLocal, threads, kubeconfig }, context) {
    const wrong = nodeLocal.find((text) => !isValidIp(text))
    if (wrong !== undefined)
      throw new UserError(`--node-local ${JSON.stringify(wrong)} is no address`, {
        code: 'BadOption',
        remedy: 'give addresses, as in --node-local 169.254.20.10,10.96.0.10',
      })
    // The Corefile's own kubeconfig counts more than the flag.
    const client = (own: Kubeconfig | undefined) =>
      connect(own === undefined ? loadKubeconfig(kubeconfig) : loadKubeconfig(own.file, own))
    return run({ corefile: conf, address, nodeLocal, threads, client }, context)
  },
})
