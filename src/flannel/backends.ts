// The back ends that there are.

import type { Backend } from '#flannel/backend.ts'
import { hostGw } from '#flannel/backend/host-gw.ts'
import { vxlan } from '#flannel/backend/vxlan.ts'
import { udp } from '#flannel/backend/udp.ts'
import type { BackendConfig } from '#flannel/network-config.ts'

const backends: Readonly<Record<string, (config: BackendConfig) => Backend>> = { vxlan, 'host-gw': hostGw, udp }

export const backendTypes = Object.keys(backends)

/** Undefined where there is none of that type. */
export const backendOf = (config: BackendConfig): Backend | undefined => backends[config.type]?.(config)
