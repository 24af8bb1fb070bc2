import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserError } from '#daemon/error.ts'
import { address, choice, duration, list, number, parseFlags, renderFlags, text, toggle } from '#daemon/flags.ts'

const flags = {
  kubeconfig: text({ help: 'how to reach the API server', placeholder: 'FILE', env: 'KUBECONFIG' }),
  nodes: number({ help: 'how many nodes', default: 3, min: 1, max: 10 }),
  proxyMode: choice(['iptables', 'nftables'], { help: 'how Services become rules', default: 'iptables' }),
  install: toggle({ help: 'do not install packages', default: true }),
  filename: list({ help: 'what to apply', short: 'f', placeholder: 'FILE' }),
  v: number({ help: 'log level', default: 0, short: 'v' }),
  wait: duration({ help: 'how long to wait', default: '1m30s' }),
  healthz: address({ help: 'where to serve', default: '127.0.0.1:10256' }),
}
const defaults = {
  kubeconfig: undefined,
  nodes: 3,
  proxyMode: 'iptables',
  install: true,
  filename: [],
  v: 0,
  wait: 90_000,
  healthz: { host: '127.0.0.1', port: 10256 },
}

test('flags: words and their options', () => {
  const cases: readonly (readonly [string, object, string[]?])[] = [
    ['', {}],
    ['--nodes 5 a', { nodes: 5 }, ['a']],
    ['--nodes=5', { nodes: 5 }],
    ['--proxy-mode nftables', { proxyMode: 'nftables' }],
    ['--no-install', { install: false }],
    ['--install=false', { install: false }],
    ['-f a.yaml,b.yaml -f c.yaml --filename d', { filename: ['a.yaml', 'b.yaml', 'c.yaml', 'd'] }],
    ['-v4', { v: 4 }],
    ['-v=4', { v: 4 }],
    ['--v 4', { v: 4 }],
    ['--wait 2s', { wait: 2000 }],
    ['--healthz 0', { healthz: undefined }],
    ['--healthz :80', { healthz: { host: '0.0.0.0', port: 80 } }],
    ['--healthz [::1]:80', { healthz: { host: '::1', port: 80 } }],
    ['pod/a -- ls --nodes x', {}, ['pod/a', 'ls', '--nodes', 'x']],
    ['-1 -', {}, ['-1', '-']],
  ]
  for (const [line, want, rest = []] of cases) {
    const { options, rest: words } = parseFlags(flags, line.split(' ').filter(Boolean))
    assert.deepEqual({ options, rest: words }, { options: { ...defaults, ...want }, rest }, line)
  }
})

test('flags: which were given is told, by a word or by the environment', () => {
  assert.deepEqual([...parseFlags(flags, ['--nodes', '5']).given], ['nodes'])
  assert.deepEqual([...parseFlags(flags, [], { KUBECONFIG: 'x' }).given], ['kubeconfig'])
})

test('flags: an environment variable stands in for a flag', () => {
  const env = { KUBECONFIG: '/tmp/config' }
  assert.equal(parseFlags(flags, [], env).options.kubeconfig, '/tmp/config')
  assert.equal(parseFlags(flags, [], { KUBECONFIG: '' }).options.kubeconfig, undefined, 'an empty one says nothing')
  assert.equal(parseFlags(flags, ['--kubeconfig', 'x'], env).options.kubeconfig, 'x')
})

test('flags: mistakes are named', () => {
  const needs = { name: text({ help: 'whose name', required: true }) }
  const cases: readonly (readonly [string, string, string?])[] = [
    ['--nodse 3', 'unknown flag --nodse', 'did you mean --nodes?'],
    ['--xyzzy', 'unknown flag --xyzzy', 'see --help for the flags there are'],
    ['-x', 'unknown flag -x', 'see --help for the flags there are'],
    ['--nodes', '--nodes needs a value: --nodes N'],
    ['--nodes 11', '--nodes: must be a number from 1 to 10, not "11"'],
    ['--nodes x', '--nodes: must be a number from 1 to 10, not "x"'],
    ['--proxy-mode ipvs', '--proxy-mode: must be one of iptables, nftables, not "ipvs"'],
    ['--wait 5', '--wait: must be a duration such as 30s, 1m30s or 250ms, not "5"'],
    ['--healthz x:99999', '--healthz: must be HOST:PORT, or 0 to turn it off, not "x:99999"'],
    ['--install=maybe', '--install: must be true or false, not "maybe"'],
  ]
  for (const [line, message, remedy] of cases)
    assert.throws(
      () => parseFlags(flags, line.split(' ')),
      (error: UserError) => {
        assert.deepEqual([error.message, error.exitCode], [message, 2])
        if (remedy !== undefined) assert.equal(error.remedy, remedy)
        return error instanceof UserError
      },
    )
  assert.throws(() => parseFlags(needs, []), /--name is missing: whose name/)
})

test('flags: the help text', () => {
  const want = `\
      --kubeconfig FILE               how to reach the API server (or $KUBECONFIG)
      --nodes N                       how many nodes (default 3)
      --proxy-mode iptables|nftables  how Services become rules (default iptables)
      --no-install                    do not install packages
  -f, --filename FILE                 what to apply (repeatable)
  -v, --v N                           log level (default 0)
      --wait DURATION                 how long to wait (default 1m30s)
      --healthz ADDRESS               where to serve (default 127.0.0.1:10256)
`
  assert.equal(renderFlags(flags), want)
})
