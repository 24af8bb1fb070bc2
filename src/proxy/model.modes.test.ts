// Random histories against a model of its own, in iptables mode.
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { runModel } from '#test/proxy-model.ts'
import { modes } from '#test/proxy-modes.ts'

const soak = process.env['FAIRWAY_SOAK'] === '1'
const skip = need({ root: true, programs: ['iptables', 'ip6tables'] })

for (const mode of modes.filter(({ name }) => name.startsWith('iptables')))
  for (let seed = 1; seed <= (soak ? 50 : 1); seed++)
    test(`model: ${mode.name}, seed ${seed}`, { skip }, () => runModel(mode, seed, soak ? 200 : 25))
