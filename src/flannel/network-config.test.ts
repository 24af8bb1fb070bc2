import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultBackend, parseNetworkConfig } from '#flannel/network-config.ts'

test('network config: what flannel users write', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['{"Network":"10.244.0.0/16"}', { networks: { 4: '10.244.0.0/16' }, backend: defaultBackend, rules: 'iptables' }],
    [
      '{"network":"10.244.9.9/16","backend":{"type":"host-gw"}}',
      { networks: { 4: '10.244.0.0/16' }, backend: { ...defaultBackend, type: 'host-gw' }, rules: 'iptables' },
    ],
    [
      `{"Network":"10.0.0.0/8","EnableIPv6":true,"IPv6Network":"fd00::/56","SubnetLen":24,
        "Backend":{"Type":"VXLAN","VNI":4096,"Port":4789,"DirectRouting":true,"MTU":1400}}`,
      {
        networks: { 4: '10.0.0.0/8', 6: 'fd00::/56' },
        backend: { type: 'vxlan', vni: 4096, port: 4789, directRouting: true, learning: false, mtu: 1400 },
        rules: 'iptables',
      },
    ],
    [
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/56"}',
      { networks: { 6: 'fd00::/56' }, backend: defaultBackend, rules: 'iptables' },
    ],
    ['{}', 'Network must be an IPv4 range such as 10.244.0.0/16'],
    ['{"Network":"fd00::/56"}', 'Network must be an IPv4 range such as 10.244.0.0/16'],
    ['{"Network":"10.0.0.0/8","EnableIPv6":true}', 'IPv6Network must be an IPv6 range such as fd00:10:244::/56'],
    ['{"EnableIPv4":false}', 'neither IPv4 nor IPv6 is enabled'],
    ['{"Network":"10.0.0.0/8","Backend":"vxlan"}', 'Backend must be an object'],
    [
      '{"Network":"10.0.0.0/8","EnableNFTables":false,"Backend":{"Port":0}}',
      { networks: { 4: '10.0.0.0/8' }, backend: defaultBackend, rules: 'iptables' },
    ],
    [
      '{"Network":"10.0.0.0/8","EnableNFTables":true}',
      { networks: { 4: '10.0.0.0/8' }, backend: defaultBackend, rules: 'nftables' },
    ],
    ['{"Network":"10.0.0.0/8","Backend":{"GBP":true}}', 'Backend.GBP is not served: packets carry no policy'],
    ['{"Network":"10.0.0.0/8","Backend":{"VNI":"7"}}', 'Backend.VNI must be a whole number up to 16777215, not "7"'],
    ['{"Network":"10.0.0.0/8","EnableIPv6":"yes"}', 'EnableIPv6 must be true or false, not "yes"'],
    [
      '{"Network":"10.0.0.0/8","Backend":{"DirectRouting":"true"}}',
      'Backend.DirectRouting must be true or false, not "true"',
    ],
    ['{"Network":"10.0.0.0/8","Backend":{"Type":7}}', 'Backend.Type must be a text such as "vxlan", not 7'],
    ['[]', 'not an object'],
  ]
  for (const [text, want] of cases) assert.deepEqual(parseNetworkConfig(text), want, text)
  assert.match(String(parseNetworkConfig('{')), /^not JSON: /)
})
