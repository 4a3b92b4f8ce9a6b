import type { DesiredTask } from '../../core/contracts/node.ts'
import { taskSpan, traceparentOf } from '../../core/kernel/trace.ts'

export interface EnvironmentInput {
  desired: DesiredTask
  ports: Record<string, number>
  node: string
  region: string
  home: string
  /** service name → `host:port` its proxy listens on */
  servicePorts: Record<string, string>
  gateway: string | null
}

const variable = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')

/** `{{port.NAME}}` → the number; throws nothing: an unknown name stays as written, which core has refused long before. */
export function fillPorts(text: string, ports: Record<string, number>): string {
  return text.replaceAll(/\{\{\s*port\.([\w-]+)\s*\}\}/g, (whole, name: string) => String(ports[name] ?? whole))
}

/**
 * The whole environment of a task: nothing of the agent's but PATH and the time zone, then ours, then the job's own, which win.
 * `traceparent` is per W3C Trace Context: the trace of what the task was placed for, else one of its own; the same after adoption.
 */
export function taskEnvironment(input: EnvironmentInput): Record<string, string> {
  const { desired, ports } = input
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: input.home,
    LANG: 'C.UTF-8',
    MUSTER_TASK: desired.task,
    MUSTER_TASK_ID: String(desired.id),
    MUSTER_INCARNATION: String(desired.incarnation),
    MUSTER_JOB: desired.job,
    MUSTER_GROUP: desired.group,
    MUSTER_VERSION: String(desired.version),
    MUSTER_NODE: input.node,
    MUSTER_REGION: input.region,
    traceparent: traceparentOf({
      trace: desired.cause?.trace ?? `${hex(desired.id, 16)}${hex(desired.incarnation + 1, 16)}`,
      span: taskSpan(desired.id, desired.incarnation),
    }),
  }
  if (process.env['TZ']) env['TZ'] = process.env['TZ']
  if (desired.release !== null) env['MUSTER_RELEASE'] = desired.release
  if (desired.access) {
    env['MUSTER_TASK_TOKEN'] = desired.access.token
    env['MUSTER_API'] = desired.access.api
  }
  if (desired.devices) {
    const indexes = desired.devices.indexes.join()
    // Without it CUDA counts the fastest first, and not as the system does.
    env['CUDA_DEVICE_ORDER'] = 'PCI_BUS_ID'
    env['CUDA_VISIBLE_DEVICES'] = indexes
    env['NVIDIA_VISIBLE_DEVICES'] = indexes
    env['MUSTER_GPU_SHARE'] = String(desired.devices.shareMilli / 1000)
  }
  if (desired.service !== null) env['MUSTER_SERVICE'] = desired.service
  if (input.gateway !== null) env['MUSTER_GATEWAY'] = input.gateway
  for (const [name, port] of Object.entries(ports)) env[`MUSTER_PORT_${variable(name)}`] = String(port)
  for (const [name, address] of Object.entries(input.servicePorts)) env[`MUSTER_SVC_${variable(name)}_ADDR`] = address
  for (const [name, value] of Object.entries(desired.spec.env)) env[name] = fillPorts(value, ports)
  return env
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0').slice(-digits)
