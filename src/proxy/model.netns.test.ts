// Random histories against a model of its own, in the default mode; model.modes.test.ts takes the others.
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { runModel } from '#test/proxy-model.ts'
import { modes } from '#test/proxy-modes.ts'

const soak = process.env['FAIRWAY_SOAK'] === '1'
const mode = modes.find(({ name }) => name === 'nftables')!

for (let seed = 1; seed <= (soak ? 100 : 2); seed++)
  test(`model: nftables, seed ${seed}`, { skip: need({ root: true }) }, () => runModel(mode, seed, soak ? 200 : 40))
