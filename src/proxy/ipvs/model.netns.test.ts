// Random histories against a model that shares no code with the proxy, in IPVS mode, for kernels that have it.
import { test } from 'node:test'
import { skipWithoutIpvs as skip } from '#test/ipvs-node.ts'
import { runModel } from '#test/proxy-model.ts'
import { modes } from '#test/proxy-modes.ts'

const mode = modes.find(({ name }) => name === 'ipvs')!
const [seeds, steps] = process.env['FAIRWAY_SOAK'] === '1' ? [20, 100] : [2, 12]

for (let seed = 1; seed <= seeds; seed++) test(`model: ipvs, seed ${seed}`, { skip }, () => runModel(mode, seed, steps))
