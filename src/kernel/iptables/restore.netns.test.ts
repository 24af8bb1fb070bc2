import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { restoreTables, saveTable } from '#kernel/iptables/restore.ts'
import { parseSave, renderSave } from '#kernel/iptables/save.ts'
import { need } from '#test/need.ts'

for (const backend of ['nft', 'legacy'] as const)
  for (const family of [4, 6] as const)
    test(`restore: ${backend}, IPv${family}`, { skip: need({ root: true, programs: ['iptables'] }) }, async () => {
      const iptables = await findIptables(family, { backend })
      assert.equal(iptables.backend, backend)
      assert.equal(iptables.randomFully, true)
      const address = family === 4 ? '10.96.0.1/32' : 'fd00:96::1/128'
      const to = family === 4 ? '10.244.0.2:80' : '[fd00:244::2]:80'
      const mask = family === 4 ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'
      const rules = [
        `-A TEST -d ${address} -p tcp -m comment --comment "a test's \\"rule\\"" -m tcp --dport 80 -j OTHER`,
        '-A TEST -m addrtype --dst-type LOCAL -m statistic --mode random --probability 0.33333333349 -j OTHER',
        '-A TEST -m mark ! --mark 0x4000/0x4000 -j RETURN',
        '-A TEST -j MARK --set-xmark 0x4000/0x0',
        `-A OTHER -m recent --rcheck --seconds 60 --reap --name TEST --mask ${mask} --rsource -j RETURN`,
        `-A OTHER -p tcp -m comment --comment web -m tcp -j DNAT --to-destination ${to}`,
      ]
      const text = `*nat\n:TEST - [0:0]\n:OTHER - [0:0]\n${rules.join('\n')}\nCOMMIT\n`
      await restoreTables(iptables, text)
      await restoreTables(iptables, text)
      const saved = await saveTable(iptables, 'nat')
      const lines = saved.split('\n').map((line) => line.replaceAll("\\'", "'"))
      for (const rule of rules) assert.ok(lines.includes(rule), `${rule}\n${saved}`)
      assert.equal(renderSave(parseSave(saved)), saved.replaceAll(/^#.*\n/gm, ''))
      await assert.rejects(
        restoreTables(iptables, '*nat\n:TEST - [0:0]\n-A TEST -p tcp -m tcp --dport 65536 -j RETURN\nCOMMIT\n'),
        (error) => error instanceof IptablesError && error.line === 3 && error.message.includes('--dport 65536'),
      )
      await restoreTables(iptables, '*nat\n:TEST - [0:0]\n:OTHER - [0:0]\n-X TEST\n-X OTHER\nCOMMIT\n')
      assert.ok(!(await saveTable(iptables, 'nat')).includes('TEST'))
    })

test('restore: a program that is not there', async () => {
  const { runProgram } = await import('#kernel/iptables/program.ts')
  await assert.rejects(
    runProgram('no-such-iptables', []),
    (error) => error instanceof IptablesError && error.code === 'NotInstalled',
  )
})
