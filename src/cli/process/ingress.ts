// `fairway ingress`: an Ingress controller, for any Kubernetes cluster.

import { availableParallelism } from 'node:os'
import { partCommand } from '#cli/part-command.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { address, list, number, text, toggle } from '#daemon/flags.ts'
import { serveHealth } from '#daemon/health.ts'
import { tellReady } from '#daemon/ready.ts'
import type { DataPlane } from '#ingress/haproxy/data-plane.ts'
import { run } from '#ingress/main.ts'
import { serveMetrics } from '#ingress/metrics.ts'
import { parseCidr } from '#lib/cidr.ts'
import { isValidIp } from '#lib/ip.ts'

export const ingress = partCommand({
  name: 'ingress',
  summary: 'send HTTP by host and path to Services, as Ingresses say',
  description:
    'An Ingress controller for IngressClasses with the controller `fairway/ingress`. HAProxy carries the requests, straight\n' +
    'to the endpoints; it is steered by its runtime API, so that an edit interrupts nobody.',
  examples: [
    'fairway ingress --publish-service kube-system/fairway-ingress    # in a pod, with its service account',
    'fairway ingress --kubeconfig ~/.kube/config --http 127.0.0.1:8080 --https 127.0.0.1:8443 --publish-address 192.0.2.7',
  ],
  flags: {
    http: text({ help: 'where plain HTTP is served', default: ':80', placeholder: 'ADDRESS:PORT' }),
    https: text({ help: 'where HTTPS is served', default: ':443', placeholder: 'ADDRESS:PORT' }),
    publishService: text({
      help: "the Service before this controller, whose addresses become the Ingresses' own",
      placeholder: 'NAMESPACE/NAME',
    }),
    publishAddress: list({ help: 'addresses for the status of Ingresses instead', placeholder: 'ADDRESS' }),
    trustedProxies: list({
      help: 'ranges of proxies before this one, whose X-Forwarded-For is believed',
      placeholder: 'RANGE',
    }),
    folder: text({ help: "HAProxy's files", default: '/run/fairway-ingress', placeholder: 'FOLDER' }),
    threads: number({ help: 'threads of HAProxy; 0: as many as there are processors', default: 0, min: 0, max: 64 }),
    accessLog: toggle({ help: 'a line for each request, on standard output', default: true }),
    leaderElect: toggle({
      help: 'wait for the lease fairway-ingress before anything is written, for several replicas',
    }),
    leaseNamespace: text({ help: 'where that lease is', default: 'kube-system', placeholder: 'NAMESPACE' }),
    healthAddress: address({
      help: 'where /healthz, /readyz and /metrics are served; 0 turns them off',
      default: '127.0.0.1:10254',
    }),
  },
  async run({ kubeconfig, publishService, publishAddress, threads, healthAddress: at, ...flags }, context) {
    if (publishService !== undefined && !/^[^/]+\/[^/]+$/.test(publishService))
      throw new UserError(`--publish-service ${JSON.stringify(publishService)} is no NAMESPACE/NAME`, {
        code: 'BadOption',
        remedy: 'give the Service before this controller, as --publish-service kube-system/fairway-ingress',
      })
    const noRange = flags.trustedProxies.find((word) => parseCidr(word) === undefined)
    if (noRange !== undefined)
      throw new UserError(`--trusted-proxies ${JSON.stringify(noRange)} is no range of addresses`, {
        code: 'BadOption',
        remedy: 'give ranges, as --trusted-proxies 10.0.0.0/8,2001:db8::/32',
      })
    let dataPlane: DataPlane | undefined
    if (at !== undefined)
      await serveHealth({
        address: at.host,
        port: at.port,
        checks: { proxy: () => (dataPlane?.isServing && !context.signal.aborted ? undefined : 'not serving') },
        notLive: ['proxy'],
        registry: context.registry,
        signal: context.signal,
        extra: { '/metrics': serveMetrics(context.registry, () => dataPlane) },
      })
    await run(
      {
        ...flags,
        threads: threads || availableParallelism(),
        client: connect(loadKubeconfig(kubeconfig)),
        publishService,
        publishAddresses: publishAddress.map((word) => (isValidIp(word) ? { ip: word } : { hostname: word })),
        onServing(serving) {
          dataPlane = serving
          tellReady()
        },
      },
      context,
    )
  },
})
