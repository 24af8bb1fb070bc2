// Everything on a machine that looks at packets.

import { iptablesStations, type Station } from '#trace/hooks.ts'
import { perMachine } from '#trace/machine.ts'
import { ipvsStations } from '#trace/ipvs.ts'
import { nftStations } from '#trace/nft/stations.ts'

export const stationsOf = perMachine((machine): readonly Station[] => [
  ...iptablesStations(machine),
  ...nftStations(machine),
  ...ipvsStations(machine),
])
