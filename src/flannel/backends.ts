// The back ends that there are.

import type { Backend } from '#flannel/backend.ts'
import { hostGw } from '#flannel/backend/host-gw.ts'
import { vxlan } from '#flannel/backend/vxlan.ts'
import type { BackendConfig } from '#flannel/network-config.ts'

const backends: Readonly<Record<string, (config: BackendConfig) => Backend>> = { 'host-gw': hostGw, vxlan }

export const backendTypes = Object.keys(backends)

/** Undefined where there is none of that type. */
export const backendOf = (config: BackendConfig): Backend | undefined => backends[config.type]?.(config)
