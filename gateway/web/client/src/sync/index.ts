// @peal/client/sync: documents that work offline and are kept in step. What applications may use.
export { Collection, mergeIndexes } from "./collection.ts";
export { decide, type Outcome, type Situation } from "./decide.ts";
export { Document, type DocumentEvents, type DocumentState } from "./document.ts";
export { HttpRemote, type HttpRemoteOptions } from "./http_remote.ts";
export { IndexedDbStorage } from "./indexed_db_storage.ts";
export { alone, byLease, byWebLock, type Leadership } from "./leadership.ts";
export { MemoryStorage } from "./memory_storage.ts";
export { type Remote, type Resolution, type Stored } from "./record.ts";
export { RemoteError, type RemoteStore } from "./remote.ts";
export { Replica, type ReplicaEvents, type ReplicaOptions, type SyncResult } from "./replica.ts";
export {
  firstWins, lastWins, manual, mergeMembers, mergeSets, type Conflict, type Decision, type Resolver,
} from "./resolvers.ts";
export { type SyncStorage } from "./storage.ts";
export { PealWatcher, type Sink, type Watcher } from "./watcher.ts";
