// EXTERNAL-IP and PORT(S); facts of upstream's pkg/printers/internalversion/printers_test.go TestPrintService.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '#api/core.ts'
import { externalIpText, portsText } from '#api/service/summary.ts'

const points = (...ingress: object[]) => ({ loadBalancer: { ingress } })

const rows: [name: string, service: object, externalIp: string, ports: string][] = [
  ['ClusterIP', { spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] } }, '<none>', '80/TCP'],
  [
    'NodePort',
    { spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }] } },
    '<none>',
    '80:30080/TCP',
  ],
  [
    'several ports',
    {
      spec: {
        type: 'LoadBalancer',
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 80, nodePort: 30080, protocol: 'TCP' },
        ],
      },
    },
    '<pending>',
    '53/UDP,80:30080/TCP',
  ],
  ['external IPs', { spec: { type: 'ClusterIP', externalIPs: ['1.1.1.1', '2.2.2.2'] } }, '1.1.1.1,2.2.2.2', '<none>'],
  ['no load balancer yet', { spec: { type: 'LoadBalancer' } }, '<pending>', '<none>'],
  [
    'a load balancer with addresses and names, sorted, each once',
    {
      spec: { type: 'LoadBalancer' },
      status: points({ ip: '9.9.9.9' }, { hostname: 'lb.example.com' }, { ip: '2.2.2.2' }, { ip: '9.9.9.9' }),
    },
    '2.2.2.2,9.9.9.9,lb.example.com',
    '<none>',
  ],
  [
    'a load balancer and external IPs',
    { spec: { type: 'LoadBalancer', externalIPs: ['3.3.3.3'] }, status: points({ ip: '4.4.4.4' }) },
    '4.4.4.4,3.3.3.3',
    '<none>',
  ],
  ['ExternalName', { spec: { type: 'ExternalName', externalName: 'my.name' } }, 'my.name', '<none>'],
]

for (const [name, service, externalIp, ports] of rows)
  test(`a Service in one line: ${name}`, () => {
    assert.deepEqual([externalIpText(service as Service), portsText(service as Service)], [externalIp, ports])
  })
