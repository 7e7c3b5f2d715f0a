// @peal/client: everything that an application may use.
export { PealError, type LocalCode } from "./errors.ts";
export { Peal, type PealEvents } from "./peal.ts";
export { Subscription, type SubscriptionEvents } from "./subscription.ts";
export type {
  ConnectionState, History, HistoryOptions, Member, PealOptions, Position, PositionStore, PresencePage,
  Publication, Published, PublishedEach, PublishOptions, Reset, SubscribeOptions, SubscriptionState,
  TransportName, WebSocketClass, WebSocketLike,
} from "./types.ts";
