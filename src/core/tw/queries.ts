/** Read side of tw: what the other systems and the server may look at. */
export { jobStatus, type ArmStatus, type GroupStatus, type JobStatus } from './views/job-status.ts'
export { desiredTasks, reportChanges, stoppingTasks, type StoppingTask } from './views/node-orders.ts'
export { MeshCache } from './views/mesh-cache.ts'
export { isSplitWaiting, MESH_POLICY, meshSnapshot, splitOf, splitStatus, type SplitStatus } from './views/mesh-snapshot.ts'
export { findTask, parseTarget, tasksBySelector, type TaskSelector, type TaskView } from './views/tasks.ts'
export type { EntitlementView } from './entitlements/view.ts'
export { lastTaskId, lostTasks } from './tasks/read.ts'
export { nodesTouched } from './controllers/touches.ts'
export { isAbout } from './views/entry-about.ts'
export type { FleetCell } from './views/fleet-cells.ts'
export type { FleetCapacity, FleetSummary } from './views/fleet-summary.ts'
export type { JobCounts } from './views/group-counts.ts'
export type { Capacity } from './views/capacity.ts'
export { isJoined, nodesView, type NodeView } from './views/nodes.ts'
export { nodeKeyRow, nodeNameSchema } from './nodes/admission.ts'
export { agentPorts } from './nodes/agent-ports.ts'
export { RELAY_AGENTS_MAX, RelayPlan, type RelayPlace } from './nodes/relays.ts'
export { agentsUpgraded } from './entries/upgrades.ts'
export { PUT_PROFILE, type PutProfileBody } from './controllers/profiler.ts'
export { profileFinished } from './entries/profiles.ts'
export type { NodeProfileView } from './profiles/rows.ts'
export { RESTART_AGENT } from './controllers/upgrader.ts'
export { FOLDER_ATTRIBUTE, VERSION_ATTRIBUTE } from './upgrades/rows.ts'
export { isBatch } from './job-kind.ts'
export { isReady, jobRow, taskName, type JobRow } from './rows.ts'
export { isLater, type ReportMark } from './nodes/report-order.ts'
export { SUSPECT_MS, type NodeBeat, type PeerLook, type TwSoft } from './soft.ts'
export type { GroupSpec, JobSpec, ServiceSpec, SpecIssue } from './job-spec.ts'
export { jobJsonSchema, type JobDocument } from './schema.ts'
export { opsView, type OpView } from './views/ops.ts'
export {
  consentAsks,
  consentAnswerSchema,
  consentRequest,
  CONSENT_ANSWER_BYTES_MAX,
  type ConsentAnswer,
  type ConsentAsk,
  type ConsentRequest,
} from './ops/consent.ts'
export { type DrainStatus, type LeftTask } from './views/drains.ts'
export type { MaintainBody } from './controllers/maintainer.ts'
export { maintenanceStepped } from './entries/maintenance.ts'
export type { MaintenanceView, WorkView } from './views/maintenance.ts'
export { type RecurringView } from './views/recurring.ts'
export { type UpdateView } from './operations/update-steps.ts'
export { settingsOf, DEFAULT_SETTINGS } from './settings.ts'
