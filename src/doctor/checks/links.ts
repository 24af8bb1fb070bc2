// Interfaces: packets that are larger than what carries them, and checksums that a card of the tunnel writes wrongly.

import { onNode, restart } from '#doctor/remedy.ts'
import type { Case } from '#doctor/checks/check.ts'
import { kernelIsBefore } from '#doctor/checks/node-settings.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { NodeView } from '#doctor/view.ts'
import { lookupRoute } from '#trace/route/lookup.ts'

export const checkLinks = ({ view }: Case): readonly Finding[] =>
  view.nodes.flatMap((node) => [...tunnels(node), ...checksums(node)])

const overhead = { 4: 50, 6: 70 } as const

function tunnels({ name, machine }: NodeView): readonly Finding[] {
  return (machine.links ?? []).flatMap((link): readonly Finding[] => {
    if (link.vxlan === undefined) return []
    const { local } = link.vxlan
    const under = machine.links?.find(
      (one) =>
        one.name === link.vxlan!.device ||
        (link.vxlan!.device === undefined && one.addresses?.some(({ ip }) => ip === local)),
    )
    const bridge = machine.links?.find(({ kind, name: own }) => kind === 'bridge' && own === 'cni0')
    const most = under === undefined ? undefined : under.mtu - overhead[local?.includes(':') === true ? 6 : 4]
    if (most === undefined || under!.mtu === 0) return []
    const ports = machine.links?.filter(({ master }) => master === bridge?.name) ?? []
    const tooWide = [link, ...ports].filter(({ mtu }) => mtu > most)
    const [wide] = tooWide
    if (wide === undefined) return []
    return [
      finding({
        code: 'MtuTooLarge',
        about: `node/${name}`,
        nodes: [name],
        summary: `${name}: ${wide.name} takes packets of ${wide.mtu} bytes, but only ${most} fit into the tunnel`,
        evidence: [
          `${name}: ${wide.name} mtu ${wide.mtu}; ${link.name} mtu ${link.mtu}; ${under!.name} mtu ${under!.mtu}, of which the outer headers take ${under!.mtu - most}`,
        ],
        consequence:
          'connections between nodes open, and then hang once something large is sent (TLS handshakes, answers of some kB): 100% of such packets are lost',
        // The agent of the pod network reckons anew; pods have their interfaces for life.
        remedy: [
          ...restart('pod-network', [name]),
          ...tooWide.map((one) => onNode(name, `ip link set ${one.name} mtu ${most}`)),
          ...(ports.some(({ mtu }) => mtu > most)
            ? [
                `kubectl delete pods -A --field-selector spec.nodeName=${name},spec.hostNetwork=false --wait=false   # made anew, with the new MTU`,
              ]
            : []),
        ],
      }),
    ]
  })
}

function checksums(node: NodeView): readonly Finding[] {
  const { name, machine, texts } = node
  const tunnel = machine.links?.find(({ vxlan }) => vxlan !== undefined)
  const told = [...texts].filter(
    ([file, text]) => file.startsWith('ethtool') && text.includes('tx-checksum-ip-generic:'),
  )
  const said = told.find(([, text]) => /tx-checksum-ip-generic: on/.test(text))
  const kernel = node.node?.status?.nodeInfo?.kernelVersion ?? ''
  const isOld = kernelIsBefore(node, 5, 7) === true
  const nat = machine.iptables.flatMap(({ rules }) => rules.get('nat')?.get('KUBE-POSTROUTING')?.rules ?? [])
  const isRandom = nat.some(({ target }) => target?.kind === 'masquerade' && target.randomFully === true)
  if (tunnel === undefined || !isOld || !isRandom || (told.length > 0 && said === undefined)) return []
  const [route] = lookupRoute(machine, {
    family: 4,
    destination: tunnel.vxlan?.local ?? '',
    source: '',
    mark: 0,
    incoming: '',
    protocol: 'udp',
    sourcePort: 0,
    destinationPort: 0,
  })
  return [
    finding({
      code: 'VxlanChecksum',
      about: `node/${name}`,
      nodes: [name],
      severity: said === undefined ? 'warning' : 'error',
      summary: `${name}: the kernel (${kernel}) writes wrong checksums into masqueraded packets of ${tunnel.name}`,
      evidence: [
        `node ${name}: kernelVersion ${kernel}, before 5.7`,
        'KUBE-POSTROUTING: MASQUERADE --random-fully',
        ...(said === undefined ? [] : [`${said[0]}: tx-checksum-ip-generic: on`]),
      ],
      consequence:
        'connections from a node to a Service whose endpoint is on another wait 1, 3 or 63 s before they open',
      remedy: [onNode(name, `ethtool -K ${tunnel.name} tx-checksum-ip-generic off`)],
      restsOn: said === undefined ? [`ethtool -k ${tunnel.name}`] : route === undefined ? ['ip route'] : [],
    }),
  ]
}
