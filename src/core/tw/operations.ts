/** What can be asked of tw. Each operation is defined beside its kind in `operations/`. */
import type { Operation } from '../contracts/operation.ts'
import { entitlementList, entitlementSetCommand, entitlementShow, quotaSet } from './operations/entitlements.ts'
import { fleetSummaryQuery } from './operations/fleet-reads.ts'
import { nodeConditions, nodeLabel, nodeRetire } from './operations/node-changes.ts'
import { agentUpgrade, agentUpgradeShow, agentUpgradeStop } from './operations/upgrades.ts'
import { profileApply, profileList, profileReport, profileSetCommand, profileShow } from './operations/profiles.ts'
import { capacity } from './operations/capacity.ts'
import { defrag, defragSchedule, defragShow } from './operations/defrag.ts'
import { settingsSetCommand, settingsShow } from './operations/settings.ts'
import { agentPort, nodeAdmit, nodeToken } from './operations/admission.ts'
import { drainShow, nodeDrain, nodeUndrain } from './operations/drains.ts'
import { jobRevert, jobRun, jobScale, jobStop } from './operations/jobs.ts'
import { meshFaultSet, meshList, meshShow, meshSplitSet } from './operations/mesh.ts'
import { nodeCordon, nodeJoin, nodeList, nodeShow, nodeUncordon, tasksReport } from './operations/nodes.ts'
import { jobPlan, jobScalePlan, jobStopPlan } from './operations/job-plan.ts'
import { jobDiff, jobHistory, jobList, jobShow } from './operations/job-reads.ts'
export { jobPlan, jobScalePlan, jobStopPlan } from './operations/job-plan.ts'
import { jobDispatch, jobForcePeriodic, jobPause, jobPurge, jobResume, jobRetry } from './operations/runs.ts'
import { explain, ps, taskShow } from './operations/task-reads.ts'
import { maintenanceAbort, maintenanceCreate, maintenanceExtend, maintenanceList, maintenanceShow } from './operations/maintenance.ts'
import { opAllow, opAnswer, opDelay, opForce, opList, opPending, opShow } from './operations/ops.ts'
import { taskExec, taskRestart, taskSignal, taskStop } from './operations/tasks.ts'
import { updateFail, updateList, updatePause, updatePromote, updateResume } from './operations/update-steps.ts'
import { jobVersionPut, updateSet } from './operations/updates.ts'

export { entitlementList, entitlementSetCommand, entitlementShow, quotaSet } from './operations/entitlements.ts'
export { fleetSummaryQuery } from './operations/fleet-reads.ts'
export { capacity } from './operations/capacity.ts'
export { defrag, defragSchedule, defragShow } from './operations/defrag.ts'
export { settingsSetCommand, settingsShow } from './operations/settings.ts'
export { agentPort, nodeAdmit, nodeToken, nodeTokenIssue } from './operations/admission.ts'
export { drainShow, nodeDrain, nodeUndrain } from './operations/drains.ts'
export { jobRevert, jobRun, jobScale, jobStop } from './operations/jobs.ts'
export { meshFaultSet, meshList, meshShow, meshSplitSet } from './operations/mesh.ts'
export { nodeCordon, nodeJoin, nodeList, nodeShow, nodeUncordon, tasksReport } from './operations/nodes.ts'
export { jobDiff, jobHistory, jobList, jobShow } from './operations/job-reads.ts'
export { jobDispatch, jobForcePeriodic, jobPause, jobPurge, jobResume, jobRetry } from './operations/runs.ts'
export { explain, ps, taskShow } from './operations/task-reads.ts'
export { maintenanceAbort, maintenanceCreate, maintenanceExtend, maintenanceList, maintenanceShow } from './operations/maintenance.ts'
export { askedGroup, opAllow, opAnswer, opDelay, opForce, opList, opPending, opShow } from './operations/ops.ts'
export { taskExec, taskRestart, taskSignal, taskStop } from './operations/tasks.ts'
export { updateFail, updateList, updatePause, updatePromote, updateResume } from './operations/update-steps.ts'
export { jobVersionPut, updateSet } from './operations/updates.ts'

export { nodeConditions, nodeLabel, nodeRetire } from './operations/node-changes.ts'
export { agentUpgrade, agentUpgradeShow, agentUpgradeStop } from './operations/upgrades.ts'
export { profileApply, profileList, profileReport, profileSetCommand, profileShow } from './operations/profiles.ts'

export const TW_OPERATIONS = [
  jobRun,
  jobStop,
  jobScale,
  jobRevert,
  jobDispatch,
  jobForcePeriodic,
  jobPause,
  jobResume,
  jobRetry,
  jobPurge,
  jobList,
  jobShow,
  jobHistory,
  jobDiff,
  jobPlan,
  jobScalePlan,
  jobStopPlan,
  jobVersionPut,
  updateSet,
  updateList,
  updatePause,
  updateResume,
  updatePromote,
  updateFail,
  fleetSummaryQuery,
  capacity,
  defrag,
  defragSchedule,
  defragShow,
  settingsSetCommand,
  settingsShow,
  entitlementSetCommand,
  quotaSet,
  entitlementList,
  entitlementShow,
  ps,
  explain,
  taskShow,
  taskStop,
  taskRestart,
  taskSignal,
  taskExec,
  maintenanceAbort,
  maintenanceCreate,
  maintenanceExtend,
  maintenanceList,
  maintenanceShow,
  opList,
  opShow,
  opAllow,
  opDelay,
  opForce,
  opPending,
  opAnswer,
  tasksReport,
  nodeJoin,
  nodeToken,
  nodeAdmit,
  agentPort,
  nodeLabel,
  nodeRetire,
  nodeConditions,
  agentUpgrade,
  agentUpgradeStop,
  agentUpgradeShow,
  profileSetCommand,
  profileApply,
  profileReport,
  profileList,
  profileShow,
  nodeList,
  nodeShow,
  nodeCordon,
  nodeUncordon,
  nodeDrain,
  nodeUndrain,
  drainShow,
  meshSplitSet,
  meshFaultSet,
  meshList,
  meshShow,
] as unknown as readonly Operation[]
