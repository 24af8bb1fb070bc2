// iptables-legacy tells nobody what others do to its tables: a look at them each second does.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { eventually, startProxy } from '#test/running-proxy.ts'

const skip = need({ root: true, programs: ['iptables-legacy', 'ip6tables-legacy'] })
const rules = () =>
  ['filter', 'nat', 'mangle']
    .map((table) => execFileSync('iptables-legacy-save', ['-t', table], { encoding: 'utf8' }))
    .join('')
    .split('\n')
    .filter((line) => /^-A|^:KUBE/.test(line))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ''))
    .sort()
    .join('\n')

test('legacy iptables: what others take away comes back, what is theirs stays', { skip }, async () => {
  await using proxy = await startProxy({ iptablesBackend: 'legacy', healthz: undefined, metrics: undefined })
  await eventually('rules', () => rules().includes('KUBE-SVC-TCOU7JCQXEZGVUNU'))
  execFileSync('iptables-legacy', ['-t', 'nat', '-N', 'SOMEONE-ELSES'])
  const whole = rules()
  for (const attack of [
    ['-t', 'nat', '-F', 'KUBE-SERVICES'],
    ['-t', 'nat', '-D', 'PREROUTING', '1'],
    ['-t', 'filter', '-F'],
    ['-t', 'nat', '-D', 'KUBE-SVC-TCOU7JCQXEZGVUNU', '1'],
    ['-t', 'mangle', '-X', 'KUBE-PROXY-CANARY'],
    // of the same size
    ['-t', 'nat', '-R', 'KUBE-MARK-MASQ', '1', '-j', 'MARK', '--or-mark', '0x8000'],
  ]) {
    execFileSync('iptables-legacy', attack)
    await eventually(`repaired after ${attack.join(' ')}`, () => rules() === whole)
  }
  assert.ok(execFileSync('iptables-legacy-save', ['-t', 'nat'], { encoding: 'utf8' }).includes(':SOMEONE-ELSES'))
  assert.ok(proxy.lines.some((line) => line.includes('Rules were changed by someone else')))
})
