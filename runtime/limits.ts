import { assert } from './assert.ts';

/**
 * Every limit, byte budget and time-out of Halfsight, with its unit in its name. They live together
 * because they depend on one another; the relations are asserted below, at import.
 */
export const LIMITS = {
  // ---- What is on the wire -----------------------------------------------------------------
  /** Largest frame record value. Frames are a few kilobytes; noise at a fine rate reaches 60. */
  frameRecordBytesMax: 256 * 1024,
  /** Largest result record value; masks of a busy scene reach some tens of kilobytes. */
  resultRecordBytesMax: 512 * 1024,
  /** A dead letter carries a whole frame record, or one that was too large, cut to this. */
  deadLetterOriginalBytesMax: 512 * 1024,
  /** UTF-16 units of a stack in a dead letter. */
  deadLetterStackLengthMax: 8_000,
  deadLetterActionBytesMax: 16 * 1024,
  /** Letters are gone after 8 days and actions on them after 28: what is younger must be there. */
  deadLetterActionsSureMs: 14 * 24 * 3_600_000,
  /** Broker-side `max.message.bytes` of every topic. */
  messageBytesMax: 1024 * 1024,
  /** Symbols of one latent. 64 channels x 256 x 256 is a 2048 x 2048 input at stride 8. */
  latentSymbolsMax: 4 * 1024 * 1024,
  latentChannelsMax: 1024,
  latentSideMax: 1024,
  /** |symbol| the codec accepts; CompressAI's escape code is undefined from 2^27 on. */
  symbolMagnitudeMax: 2 ** 26,
  chunksPerBitstreamMax: 64,
  /** One table a channel, or one for each entry of a scale table. */
  tablesPerSetMax: 1024,
  /** Entries of all cdfs of one set. The scale table of CompressAI's hyperpriors makes 27,000. */
  tableEntriesPerSetMax: 1024 * 1024,
  /** Tables as the coder keeps them, of all sets; more are built again when they are needed. */
  coderTableBytesMax: 96 * 1024 * 1024,
  cameraIdLengthMax: 64,

  // ---- Camera agent ------------------------------------------------------------------------
  camerasPerAgentMax: 512,
  /** Frames a camera may hold before encoding. One: the newest frame wins. */
  framesWaitingPerCameraMax: 1,
  /** Sends begin at most so often, unless they are full; after a pause one begins at once. */
  sendIntervalMs: 50,
  /** Bytes of one send: where it begins, and how far it adapts to the line. */
  accumulatorBytesStart: 32 * 1024,
  accumulatorBytesMin: 4 * 1024,
  accumulatorBytesMax: 512 * 1024,
  /** A full batch acknowledged sooner makes the next ones larger, one that took longer smaller. */
  sendQuickMs: 1_000,
  sendSlowMs: 2_500,
  /** Encoded frames an agent holds until the broker acknowledges them; beyond, new ones drop. */
  publishBacklogBytesMax: 32 * 1024 * 1024,
  /** Records on an agent's disk, unless its settings say otherwise. */
  spoolBytesDefault: 256 * 1024 * 1024,
  spoolBytesMin: 4 * 1024 * 1024,
  /** The file may be so many times as large as the records in it: pages are not always full. */
  spoolFileFactor: 1.5,
  /** A batch that is not acknowledged for so long goes to the spool, and all that waits behind. */
  spoolAfterMs: 2_000,
  /** While there is a spool, new frames are stored at most so late. */
  spoolLingerMs: 100,
  publishRetryDelayMsMin: 100,
  publishRetryDelayMsMax: 3_000,
  encoderWorkersMax: 64,
  /** Frames given to one encoder: one is encoded while the next travels. */
  framesPerEncoderMax: 2,
  encoderRestartDelayMsMin: 100,
  encoderRestartDelayMsMax: 5_000,
  framesPerSecondMax: 60,
  /** The thread of the sources hands images over at most so often, those of all cameras at once. */
  handOverIntervalMs: 20,
  /** How long a stopping agent goes on encoding, then publishing, then telling the final counts. */
  encodeDrainTimeoutMs: 4_000,
  publishDrainTimeoutMs: 8_000,
  statusDrainTimeoutMs: 3_000,
  /** How long a process that has nothing left to do waits for its connections to close. */
  closeTimeoutMs: 2_000,
  sourceIoTimeoutMs: 10_000,
  sourceNoFrameTimeoutMs: 15_000,
  sourceRetryDelayMsMin: 1_000,
  sourceRetryDelayMsMax: 15_000,
  /** Frames read from a source's program that nobody has taken yet; the oldest goes first. */
  framesWaitingPerSourceMax: 2,
  /** How long a source's program may take to end when asked, before it is killed. */
  sourceStopTimeoutMs: 2_000,
  /** Complaints of a source's program are logged at most this often, with their count. */
  sourceComplaintIntervalMs: 5_000,
  statusIntervalMs: 1_000,
  telemetryIntervalMs: 10_000,

  // ---- Rate control of the camera agent; its law's own are in producers/camera/rate/law.ts -----
  /** Bytes of a bitstream, unless settings say otherwise: more than noise has at a fine rate. */
  bitstreamBytesMaxDefault: 64 * 1024,
  bitstreamBytesMaxMin: 100,
  /** What is left of a frame record for all but its bitstream. */
  frameRecordAroundBytesMax: 4 * 1024,
  /** Bytes a second of one camera that a budget may say. */
  rateBudgetBytesMin: 100,
  rateBudgetBytesMax: 100_000_000,

  // ---- Previews: small pictures of cameras whose settings let them leave the camera ------------
  /** How often a camera may send one. */
  previewSecondsMin: 5,
  previewSecondsMax: 600,
  /** Its longer side, pixels. */
  previewSideMin: 32,
  previewSideMax: 320,
  previewJpegBytesMax: 32 * 1024,
  /** Also `max.message.bytes` of their topic: one goes at a time. */
  previewRecordBytesMax: 40 * 1024,
  /** Kafka keeps them, and the wall the newest of each camera, for so long. */
  previewRetentionMs: 15 * 60_000,
  /** Those of an agent that wait to be sent; beyond, the oldest drop. */
  previewsWaitingMax: 32,
  /** One is sent only where it, and the frames that wait, take the line no longer. */
  previewLineMsMax: 500,

  // ---- Every process --------------------------------------------------------------------------
  /** Half of V8's young generation, and all of its old one. */
  heapSemiSpaceMiB: 8,
  heapOldSpaceMiB: 256,

  // ---- Metrics and health ----------------------------------------------------------------------
  /** Cameras of a process that have series of their own; all others share one. */
  metricCamerasMax: 128,
  /** How often a consumer asks the broker how much there is, where its metrics are wanted. */
  metricLagIntervalMs: 2_000,
  /** One export of metrics to a collector, and the last one of a process that stops. */
  metricsExportTimeoutMs: 10_000,
  metricsStopTimeoutMs: 1_500,
  healthConnectionsMax: 32,
  healthHeadersBytesMax: 8 * 1024,
  /** A client has so long to send a whole request, and so often that is looked at. */
  healthRequestTimeoutMs: 5_000,
  healthRequestCheckMs: 1_000,
  /** A connection on which nothing moves within a request is cut after so long, or twice that. */
  healthSilenceMs: 8_000,
  /** A Prometheus that scrapes every 15 s keeps its connection. */
  healthKeepAliveMs: 20_000,

  // ---- Fleet ---------------------------------------------------------------------------------
  /** Cameras in one registry; 400 bytes each. */
  fleetCamerasMax: 10_000,
  cameraSourceLengthMax: 2_048,
  cameraLabelsMax: 16,
  /** Heads that a camera may name, in the registry and in each of its frames. */
  headsPerCameraMax: 16,
  headNameLengthMax: 64,
  /** How often an agent renews its leases, learns of changes and takes free cameras. */
  fleetBeatIntervalMs: 1_000,
  /** The registry ends the leases of an agent that it has not seen for so long. */
  fleetLeaseMs: 10_000,
  /** So much earlier the agent itself takes them for ended. */
  fleetClockAllowanceMs: 3_000,
  /** A registry that nobody spoke to for so long was away, or its clock was set forward. */
  fleetSilenceMs: 2_500,
  /** One call of the registry: a connection, or an answer. */
  fleetRequestTimeoutMs: 1_500,
  /** Stated: a killed agent's cameras have other owners so soon. */
  fleetTakeOverMs: 15_000,
  /** An owner that gives a camera up has so long to publish what it has of it. */
  fleetReleaseTimeoutMs: 10_000,
  /** Cameras that an agent hands to others at a time, to even out the spread. */
  fleetSurplusPerBeatMax: 4,
  /** How long an operator's command waits for owners to have published what they have. */
  fleetDrainTimeoutMs: 30_000,
  /** Each camera's live status is told once in so many beats. */
  fleetLiveBeats: 5,

  // ---- Control API -----------------------------------------------------------------------------
  /** Body of one request. */
  controlBodyBytesMax: 64 * 1024,
  /** Of one client, by its address, in `controlRateWindowMs`; a script waits and goes on. */
  controlRequestsMax: 500,
  controlRateWindowMs: 5_000,
  controlConnectionsMax: 256,
  /** A client has so long to send a whole request, and so often that is looked at. */
  controlRequestTimeoutMs: 10_000,
  controlRequestCheckMs: 1_000,
  /** An idle connection is closed after so long. */
  controlKeepAliveMs: 5_000,
  /** Mistakes of one request that are told. */
  controlMistakesMax: 20,
  /** Cameras on one page, unless the client says otherwise; and at most. */
  controlPageDefault: 100,
  controlPageMax: 1_000,
  /** How often Redis is asked whether it is there, however often the API is. */
  controlReadyIntervalMs: 1_000,
  /** What Retry-After says while something is away. */
  controlRetryAfterMs: 2_000,
  /** Attempts of one change whose client did not say which version it means. */
  controlChangeTriesMax: 5,
  /** One answer that is read from Kafka to its end. */
  controlReadTimeoutMs: 30_000,

  // ---- Inference consumer --------------------------------------------------------------------
  /** Fetched record bytes not yet settled, all partitions of one process. */
  consumerBytesInFlightMax: 64 * 1024 * 1024,
  recordsInFlightPerPartitionMax: 256,
  /** Records of one partition that are worked on before it is the next one's turn. */
  laneTurnRecords: 4,
  batchFramesMax: 8,
  /** On a CPU the time of a frame is the same in any batch, and from 4 on it grows: caches. */
  batchFramesCpuMax: 2,
  batchAgeMsMax: 15,
  transactionRecordsMax: 100,
  /** Chosen by `npm run bench -- exactly-once`: the least age and 0.95 of at-least-once's rate. */
  transactionIntervalMs: 200,
  /** Latents of one batch, as int32. */
  batchBytesMax: 32 * 1024 * 1024,
  /** Batches given to the engine process: one runs while the next travels. */
  batchesInEngineMax: 2,
  /** Frames whose records are parsed, waiting for a batch. */
  parsedFramesMax: 16,
  /** Records that one transaction writes to one topic: they become one Kafka batch. */
  transactionBytesPerTopicMax: 768 * 1024,
  /** The broker's `offset.metadata.max.bytes` is 4096. */
  positionNoteBytesMax: 4_000,
  transactionTimeoutMs: 15_000,
  acquireRetryDelayMsMax: 5_000,
  /** How long a fenced process waits for the group to tell it that it lost the partition. */
  fencedGraceMs: 3_000,
  deadLetterHeadersBytesMax: 32 * 1024,
  inferenceTimeoutMs: 60_000,
  engineOpenTimeoutMs: 120_000,
  /** TensorRT builds its engines when a session is first run; that takes minutes. */
  engineBuildTimeoutMs: 600_000,
  engineRestartDelayMsMin: 250,
  engineRestartDelayMsMax: 10_000,
  /** Failures in a row, of a start or of a known-good frame, after which the process gives up. */
  engineFailuresMax: 5,
  engineCloseTimeoutMs: 3_000,
  /** How long a stopping consumer waits for what is under way to be committed. */
  inferenceDrainTimeoutMs: 10_000,
  detectionsPerFrameMax: 100,
  /** Under overload a head is left out, or taken back, at most so often. */
  overloadRestMs: 2_000,

  // ---- Heads that come after their bundle ------------------------------------------------------
  /** How often a consumer looks what the folder of heads says. */
  headPollIntervalMs: 2_000,
  /** A refused head is tried again when it changes, or after so long, then twice that, ... */
  headRetryMsMin: 60_000,
  headRetryMsMax: 3_600_000,
  /** All files of one head. */
  headBytesMax: 512 * 1024 * 1024,
  /** The newest batches, that a head which is to be live is tried on before. */
  headTrialBatches: 2,
  /** Longest time of a head for one of them; no camera should wait for it so long. */
  headTrialMsMax: 10_000,
  /** A frame that waited longer in the consumer says that there is no time to spare for shadows. */
  shadowWaitMsMax: 500,
  /** One batch of the heads in shadow. Live batches wait for it, so a stall must end soon. */
  shadowTimeoutMs: 5_000,
  /** Ends in a row of the engine process while shadows ran, after which it goes on without them. */
  shadowFailuresMax: 2,
  /** How often a consumer tells how its shadows compare. */
  shadowReportIntervalMs: 5_000,

  // ---- Backfill --------------------------------------------------------------------------------
  /** How often a backfill looks how far it is, and tells. */
  backfillProgressIntervalMs: 1_000,
  /** How often a backfill that may not run asks whether it may. */
  backfillGateIntervalMs: 1_000,
  /** Under a rate, frames of so long may come at once. */
  backfillBurstMs: 100,
  /**
   * Records are in the order in which they came, their times are those of their writers. A backfill
   * reads on for so long behind its end in time, for what a late clock wrote.
   */
  backfillClockSkewMs: 60_000,

  // ---- Jobs ------------------------------------------------------------------------------------
  /** Of one worker. Two would be no faster, and live consumers want the machine as well. */
  jobsAtOnce: 1,
  /** Jobs that wait, are paused or wait to be tried again; one more is refused. */
  jobsUnfinishedMax: 1_000,
  /** Jobs that are over are kept so many and so long, done ones and others each. */
  jobsOverMax: 500,
  jobsOverKeptMs: 14 * 24 * 3_600_000,
  /** JSON of what one job is to do. */
  jobOrderBytesMax: 16 * 1024,
  /** One call of the queue: a connection, or an answer. */
  jobQueueTimeoutMs: 3_000,
  jobQueueRetryDelayMsMax: 2_000,
  /** How often a worker looks whether its job is to be paused or cancelled. */
  jobWishIntervalMs: 1_000,
  /** A paused job is looked at so often, in case a word about it was lost. */
  jobPausedLookMs: 60_000,
  /** A job's progress is written at most so often. */
  jobProgressIntervalMs: 1_000,
  /** A worker that Redis has not heard of for so long has lost its job. */
  jobLockMs: 10_000,
  /** How often workers look for lost jobs. */
  jobLostLookMs: 2_500,
  /** A job that was lost more often is taken for what kills its workers, and fails. */
  jobLostTimesMax: 20,
  /** Tries of a job that fails for a reason which may pass, with doubling pauses: 10 min in all. */
  jobTriesMax: 8,
  jobRetryDelayMsMin: 5_000,
  /** How long a worker that stops waits for its job to let go; then the job counts as lost. */
  jobLetGoTimeoutMs: 15_000,
  /** And then for Redis, to give it back. */
  jobGiveBackTimeoutMs: 2_000,
  /** Redis keeps so many of the queue's events. */
  jobEventsMax: 1_000,
  /** Jobs are held while a frame that is so old waits for a live consumer, ... */
  liveLagMaxMs: 2_000,
  /** ... until none is older than this. */
  liveLagResumeMs: 1_000,

  // ---- Subscriber ------------------------------------------------------------------------------
  handlerAttemptsMax: 6,
  handlerRetryDelayMsMin: 200,
  handlerRetryDelayMsMax: 5_000,
  /** When nothing has come for so long, a reader that wants the end of a topic has reached it. */
  readerQuietMs: 5_000,
  /** After so long a reader that has more at hand leaves the event loop to others. */
  readerTurnMs: 20,
  /** Partitions of which the position is decided at the same time: each takes a connection. */
  positionsAtOnce: 16,
  /** How often another worker may come between while a position is decided. */
  positionTriesMax: 10,
  /** How often it is looked whether Kafka deletes results that a hook or a bridge has not read. */
  deletedLookMs: 60_000,
  /** How long a bridge waits, for a server that is away, before the next try. */
  bridgeWaitMs: 1_000,

  // ---- Exports ---------------------------------------------------------------------------------
  /** What is collected before it is written to a file. */
  fileBufferBytes: 1024 * 1024,
  /** Of Parquet: what is held in memory before it is encoded. */
  rowGroupRowsMax: 20_000,
  rowGroupTextLengthMax: 16 * 1024 * 1024,
  exportProgressIntervalMs: 1_000,

  // ---- Jobs that are added again and again -----------------------------------------------------
  jobEveryMsMin: 60_000,
  jobEveryMsMax: 31 * 24 * 3_600_000,

  // ---- What the wall remembers, and looks up ---------------------------------------------------
  /** How far back the charts of a camera go, in steps of so long. */
  historyMs: 3_600_000,
  historyStepMs: 10_000,
  /** Labels with a series of their own; the rest is "other". */
  historyLabelsMax: 8,
  /** Rings of one camera, and of all of them. */
  historyCameraBytesMax: 16 * 1024,
  historyBytesMax: 160 * 1024 * 1024,
  /** Newest frames of one camera, those of all cameras, and the records of their results. */
  recentFramesMax: 64,
  recentFramesOfAllMax: 32 * 1024,
  recentBytesMax: 64 * 1024 * 1024,
  /** The newest preview of each camera, of all of them; the oldest go first. */
  wallPreviewBytesMax: 32 * 1024 * 1024,
  /** One look for a frame on its topic: all that it reads, and how long. */
  inspectBytesMax: 64 * 1024 * 1024,
  inspectTimeoutMs: 10_000,
  /** One fetch of it. */
  inspectFetchBytes: 256 * 1024,
  /** What it reads from where a frame should be by its time, before it narrows the place down. */
  inspectNearBytes: 2 * 1024 * 1024,
  /** A frame is published so long before its time at most: clocks of cameras are not exact. */
  inspectClockSkewMs: 2_000,
  /** Cells of a frame's energy map, in either direction. */
  energyMapSideMax: 64,

  // ---- Webhooks --------------------------------------------------------------------------------
  webhooksMax: 64,
  /** Of one event; larger ones are counted and not sent. Masks are the largest: see the result. */
  webhookBodyBytesMax: 1024 * 1024,
  /** What is read of an answer. */
  webhookAnswerBytesMax: 4 * 1024,
  /** Events of one hook and worker in Redis. Beyond, it reads no more: Kafka keeps the rest. */
  webhookQueueEventsMax: 256,
  /** Delivered events whose ids are kept in Redis: what is read again is not sent again. */
  webhookRememberedMax: 5_000,
  /** How often a full queue is looked at. */
  webhookFullLookMs: 250,
  webhookParallelMax: 64,
  webhookTimeoutMsDefault: 10_000,
  webhookTimeoutMsMax: 30_000,
  webhookRetryDelayMsMin: 500,
  webhookRetryDelayMsMax: 300_000,
  /** How often a resting hook's worker looks whether the rest was ended. */
  webhookLookMs: 1_000,
  /** A hook that has failed so often in a row, and for its time, is parked. */
  webhookParkFailuresMin: 5,
  webhookParkAfterMsDefault: 3_600_000,
  webhookParkAfterMsMax: 7 * 24 * 3_600_000,
  /** An event that was refused as wrong in itself so often is set aside. */
  webhookRefusalsMax: 8,
  /** Of those that were set aside, the newest are kept to be tried again. */
  webhookRefusedKeptMax: 1_000,
  /** Between one and two of these after its worker has died, an event is sent again. */
  webhookLockMs: 10_000,
  /** How long what Redis or Kafka cannot do now is waited for before the next try. */
  webhookWaitMs: 1_000,
  /** How long a stopping worker waits for answers. */
  webhookDrainTimeoutMs: 12_000,

  // ---- Traces ----------------------------------------------------------------------------------
  /** Drops of frames that are not traced leave one span in this time, a camera and reason. */
  dropSpanIntervalMs: 1_000,
  /** A frame that is so old when its results are ready is traced in any case, ... */
  slowFrameAgeMs: 2_000,
  /** ... but at most one in this time by one consumer. */
  slowFrameIntervalMs: 1_000,
  /** Spans of one export request that are looked at. */
  otlpSpansMax: 10_000,
  /** UTF-16 units of a name or a value of a received span; the rest is cut off. */
  otlpTextLengthMax: 256,
  /** Attributes of one received span, and as many links: a batch has fewer companions. */
  otlpAttributesMax: 64,
  /** What a store of received spans holds, as JSON; then the oldest traces go. */
  traceStoreBytesMax: 32 * 1024 * 1024,
  traceStoreTracesMax: 10_000,
  /** Of one trace: a frame with many subscribers has some dozens. */
  traceSpansMax: 500,

  // ---- The wall's server -----------------------------------------------------------------------
  /** Cameras with a row; more are counted, and that is told. */
  wallCamerasMax: 10_000,
  /** Pages that are open at a time, and connections of whatever kind. */
  wallClientsMax: 64,
  wallConnectionsMax: 256,
  /** Cameras whose results one page is sent. */
  wallWatchedMax: 200,
  /** From a page; a whole list of cameras is half of it. */
  wallMessageBytesMax: 32 * 1024,
  /** While so much waits for a page to read it, it is sent nothing more. */
  wallUnsentBytesMax: 1024 * 1024,
  /** Results of watched cameras are sent so often: the newest that have come meanwhile. */
  wallResultsIntervalMs: 250,
  /** So often Kafka is asked for offsets, and pages are told of them, and of rows that changed. */
  wallTellIntervalMs: 1_000,
  /** A row of which only figures changed, and that nobody watches, is told so often. */
  wallQuietRowMs: 5_000,
  /** Rows of one message; what does not fit is told in the next. */
  wallRowsPerMessageMax: 1_000,
  /** A page that does not answer a ping is gone. */
  wallPingMs: 15_000,
  /** Frames that wait for so long, while nothing is answered: consumers are silent ... */
  wallSilentAfterMs: 2_500,
  /** ... and that is told so soon after the first frame which a killed consumer leaves waiting. */
  wallSilentToldMs: 5_000,
  /** With consumers that pause for longer: so many of the longest pauses of late, at most this. */
  wallPauseFactor: 1.5,
  wallPatienceMsMax: 30_000,
  /** Of late: such a pause counts for so long, and for twice as long at most. */
  wallPausesMs: 60_000,
  /** Of members whose pauses are not known yet: whoever was killed has left the group by then. */
  wallNewMembersMs: 11_000,
  /** Consumers whose oldest frame waits for so long are behind, until it is less than the other. */
  wallBehindMs: 3_000,
  wallCaughtUpMs: 1_500,
  /** No frame came for so long: none is to be answered. */
  wallIdleMs: 5_000,
  /** An agent that said nothing of any of its cameras for so long is taken for dead. */
  wallAgentSilentMs: 15_000,
  /** And after so long nobody waits for it any more. */
  wallAgentForgottenMs: 24 * 3_600_000,
  /** What is remembered of when a partition's end was where: halved, when it is more. */
  wallLagMarksMax: 128,
  /** What rates and ages of the fleet are taken over. */
  wallRateWindowMs: 10_000,
  /** How full batches are is taken over so long, ... */
  wallBatchWindowMs: 60_000,
  /** ... by the times of a head's newest batches: so many are known, and up to as many before. */
  wallBatchesMax: 1_024,
  /** Statuses that are read at the start, to know cameras that say nothing now. */
  wallStatusRecordsMax: 100_000,
  wallStatusFetchBytes: 1024 * 1024,
  /** Troubles that are told at a time. */
  wallTroublesMax: 20,
  /** How often Kafka, when it is away, and Redis, when pages look at jobs, are asked. */
  wallRetryMs: 1_000,
  wallJobsIntervalMs: 2_000,
  wallJobsShownMax: 20,
  /** Bodies of requests; spans come in the larger ones. */
  wallBodyBytesMax: 16 * 1024,
  wallSpansBytesMax: 4 * 1024 * 1024,
  /** Somebody who has given a token is asked again after so long. */
  wallSessionMs: 7 * 24 * 3_600_000,
  /** Attempts to give a token, of one address. */
  wallSignInsMax: 10,
  wallSignInWindowMs: 60_000,
  wallRequestTimeoutMs: 10_000,

  // ---- The wall's page -------------------------------------------------------------------------
  /** Messages come once a second: a server that says nothing for so long is taken for lost. */
  wallServerSilentMs: 4_000,
  wallReconnectDelayMsMin: 500,
  wallReconnectDelayMsMax: 8_000,
  /** A picture that is older, and older than so many of its camera's intervals, fades. */
  wallPictureOldMs: 5_000,
  wallPictureOldIntervals: 4,
  /** How often a page asks again for what the live connection does not bring. */
  wallPollMs: 5_000,
  /** Spans come later than results: so often a frame without them is asked for again, ... */
  wallSpansTries: 5,
  /** ... first after so long, then after twice as long each time. */
  wallSpansDelayMs: 1_000,

  // ---- Kafka ---------------------------------------------------------------------------------
  fetchWaitMsMax: 50,
  fetchBytesMax: 8 * 1024 * 1024,
  fetchBytesPerPartitionMax: 2 * 1024 * 1024,
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 1_000,
  rebalanceTimeoutMs: 30_000,
  requestTimeoutMs: 10_000,
  /** How often a connection looks for answers that are overdue. */
  requestTimeoutCheckMs: 1_000,
  connectionTimeoutMs: 3_000,
  /**
   * Of a process that takes over partitions. Kafka lets 50 wait to be accepted (its
   * `socket.listen.backlog.size`); what comes beyond is tried again by TCP after a second.
   */
  connectionsAtOnceMax: 32,
  schemaRegistryTimeoutMs: 5_000,
  /** Ours are of some kilobytes. */
  schemaRegistryAnswerBytesMax: 1024 * 1024,
  /** After so long a registry is asked again for a schema that it did not have. */
  schemaUnknownMs: 60_000,
  /** Schemas of others that a process keeps, by their ids. */
  schemasLearnedMax: 1024,
  transactionRetryDelayMsMin: 5,
  transactionRetryDelayMsMax: 200,
  /** How long a failed transaction may take to be aborted; readers wait for it. */
  abortTimeoutMs: 3_000,
  /** One `Producer.send`, its retries included. */
  produceTimeoutMs: 30_000,
  produceRetryDelayMsMin: 100,
  produceRetryDelayMsMax: 1_000,
  /** How long a producer that is closed waits for a call under way. */
  producerCloseTimeoutMs: 2_000,
  /** Partitions whose records one consumer hands out at the same time. */
  partitionsConcurrentMax: 256,
  consumerRestartDelayMsMin: 200,
  consumerRestartDelayMsMax: 5_000,
  /** How long a consumer that stops waits for a handler or a join under way. */
  consumerStopTimeoutMs: 5_000,
  /** The first join of a group: a previous member may have to time out first. */
  joinTimeoutMs: 45_000,
  topicCreationTimeoutMs: 15_000,
  topicPollIntervalMs: 50,

  // ---- Processes -------------------------------------------------------------------------------
  /** How often figures and health checks have Redis asked how it and its queues are. */
  redisLookIntervalMs: 2_000,
  shutdownTimeoutMs: 20_000,
  childRestartDelayMsMin: 500,
  childRestartDelayMsMax: 15_000,
  /** Crashes in a row, each soon after the start, after which a child is given up. */
  childCrashesMax: 5,
  /** A child that ran for so long is not counted as crashing in a row. */
  childHealthyMs: 60_000,
  /** After it, a child that was asked to stop is killed. */
  childStopTimeoutMs: 23_000,
  /** `npm start --duration` begins to count at the first result, or after so long without one. */
  firstResultTimeoutMs: 60_000,
  /** How long `npm start` waits, without any progress, for consumers to answer everything. */
  catchUpTimeoutMs: 30_000,
  /** npm passes Ctrl-C on to a child that the terminal has told already: that is one, not two. */
  signalEchoMs: 400,

  // ---- Local stack -----------------------------------------------------------------------------
  /** A loaded CI machine took 9 s for a broker. */
  stackStartTimeoutMs: 60_000,
  stackStopTimeoutMs: 10_000,
  /** Attempts in a row to bring back a server that died, with doubling pauses. */
  stackRestartsMax: 5,
  /** Kafka's jars through Maven, on a slow line. */
  jarsDownloadTimeoutMs: 600_000,
} as const;

assert(LIMITS.latentChannelsMax <= LIMITS.tablesPerSetMax, 'each channel has a table');
assert(
  LIMITS.healthRequestCheckMs < LIMITS.healthRequestTimeoutMs &&
    LIMITS.healthRequestTimeoutMs + LIMITS.healthRequestCheckMs < LIMITS.healthSilenceMs &&
    LIMITS.metricsStopTimeoutMs < LIMITS.closeTimeoutMs,
  'a slow client is seen in time, and a collector that is away does not hold up the end',
);
assert(
  10 * LIMITS.requestTimeoutCheckMs <= LIMITS.requestTimeoutMs,
  'an answer must be missed soon after its time',
);
assert(
  (LIMITS.handOverIntervalMs * LIMITS.framesPerSecondMax) / 1000 <=
    LIMITS.framesWaitingPerSourceMax,
  'what the fastest camera gives until the next hand-over must be allowed to wait',
);
assert(
  2 * (36 * LIMITS.tableEntriesPerSetMax + (4096 + 256) * LIMITS.tablesPerSetMax) <=
    LIMITS.coderTableBytesMax,
  'two sets of tables, which decode side by side, must fit: 36 bytes an entry, 4 KiB a table',
);
assert(
  LIMITS.frameRecordBytesMax <= LIMITS.deadLetterOriginalBytesMax,
  'a dead letter must hold a whole frame record',
);
assert(
  LIMITS.deadLetterOriginalBytesMax + 64 * 1024 <= LIMITS.messageBytesMax,
  'a dead letter with its reason and headers must fit in a message',
);
assert(
  LIMITS.deadLetterHeadersBytesMax + 3 * LIMITS.deadLetterStackLengthMax + 6 * 1024 < 64 * 1024,
  'headers, stack (3 bytes a unit) and detail of a dead letter must fit beside its original',
);
assert(LIMITS.resultRecordBytesMax < LIMITS.messageBytesMax, 'a result must fit in a message');
assert(
  LIMITS.messageBytesMax <= LIMITS.fetchBytesPerPartitionMax,
  'one fetch must be able to return the largest message',
);
assert(
  LIMITS.fetchBytesPerPartitionMax <= LIMITS.fetchBytesMax &&
    LIMITS.fetchBytesMax < LIMITS.consumerBytesInFlightMax,
  'one fetch must fit in the bytes in flight',
);
assert(
  4 * LIMITS.accumulatorBytesMax <= LIMITS.spoolBytesMin &&
    LIMITS.spoolBytesMin <= LIMITS.spoolBytesDefault,
  'the batch on its way, which is never dropped, must be a small part of the spool',
);
assert(
  LIMITS.spoolLingerMs < LIMITS.spoolAfterMs && LIMITS.spoolAfterMs < LIMITS.publishDrainTimeoutMs,
  'a stopping agent must have time to store what it could not publish',
);
assert(
  LIMITS.bitstreamBytesMaxDefault + LIMITS.frameRecordAroundBytesMax <= LIMITS.frameRecordBytesMax,
  'a bitstream that is not too large must fit in a record',
);
assert(
  2 * LIMITS.headsPerCameraMax * LIMITS.headNameLengthMax <= LIMITS.frameRecordAroundBytesMax,
  'the heads that a camera wants must leave room for all else in its records',
);
assert(
  LIMITS.previewJpegBytesMax + LIMITS.frameRecordAroundBytesMax <= LIMITS.previewRecordBytesMax &&
    LIMITS.previewRecordBytesMax <= LIMITS.frameRecordBytesMax,
  'a preview must fit in its record, and be no larger than a frame may be',
);
assert(
  LIMITS.previewSecondsMax * 1000 < LIMITS.previewRetentionMs,
  'a preview must be kept until the next one comes',
);
assert(
  10 * LIMITS.previewLineMsMax <= LIMITS.previewSecondsMin * 1000,
  'the previews of a camera must leave nine tenths of its line alone',
);
assert(
  LIMITS.accumulatorBytesMin <= LIMITS.accumulatorBytesStart &&
    LIMITS.accumulatorBytesStart <= LIMITS.accumulatorBytesMax,
  'the size of a batch begins within its bounds',
);
assert(
  LIMITS.sendQuickMs < LIMITS.sendSlowMs && 4 * LIMITS.sendSlowMs <= LIMITS.requestTimeoutMs,
  'a line may become four times as slow before a batch is over its time-out',
);
assert(
  LIMITS.accumulatorBytesMax <= LIMITS.publishBacklogBytesMax,
  'the accumulator is part of the backlog',
);
assert(
  LIMITS.accumulatorBytesMax + 64 * 1024 <= LIMITS.messageBytesMax,
  'a full accumulator, which may be one camera and so one record batch, must fit in a message',
);
assert(
  LIMITS.sourceStopTimeoutMs +
    LIMITS.encodeDrainTimeoutMs +
    LIMITS.publishDrainTimeoutMs +
    LIMITS.statusDrainTimeoutMs +
    LIMITS.closeTimeoutMs <
    LIMITS.shutdownTimeoutMs,
  'a camera agent must drain stage by stage before it is killed',
);
assert(
  LIMITS.sessionTimeoutMs + LIMITS.rebalanceTimeoutMs < LIMITS.joinTimeoutMs,
  'joining must outlast a rebalance that waits for a dead member',
);
assert(LIMITS.abortTimeoutMs < LIMITS.sessionTimeoutMs, 'an abort must not cost the membership');
assert(
  LIMITS.shutdownTimeoutMs < LIMITS.childStopTimeoutMs,
  'a child ends its own drain before its parent kills it',
);
assert(
  LIMITS.heartbeatIntervalMs * 3 <= LIMITS.sessionTimeoutMs,
  'three heartbeats must fit in a session',
);
assert(
  LIMITS.sourceIoTimeoutMs < LIMITS.sourceNoFrameTimeoutMs,
  "ffmpeg's own time-out must fire before the watchdog kills it",
);
assert(
  LIMITS.sourceStopTimeoutMs < LIMITS.shutdownTimeoutMs,
  'a shutdown must outlast the end of the source programs',
);
assert(
  LIMITS.shutdownTimeoutMs > LIMITS.transactionTimeoutMs,
  'a drain must outlast one transaction',
);
assert(
  LIMITS.stackStopTimeoutMs < LIMITS.shutdownTimeoutMs,
  'the local stack stops within the drain of the process that owns it',
);
assert(
  LIMITS.resultRecordBytesMax <= LIMITS.transactionBytesPerTopicMax &&
    LIMITS.deadLetterOriginalBytesMax + 64 * 1024 <= LIMITS.transactionBytesPerTopicMax &&
    LIMITS.transactionBytesPerTopicMax + 64 * 1024 <= LIMITS.messageBytesMax,
  'a transaction must hold any one outcome, and its batch must fit in a message',
);
assert(
  LIMITS.shadowTimeoutMs * LIMITS.shadowFailuresMax < LIMITS.inferenceTimeoutMs,
  'shadows that hang must cost live frames less than a hang of their own',
);
assert(
  LIMITS.headTrialMsMax < LIMITS.inferenceTimeoutMs,
  'a head that is too slow must be told from one that hangs',
);
assert(
  LIMITS.headPollIntervalMs < LIMITS.headRetryMsMin &&
    LIMITS.headRetryMsMin <= LIMITS.headRetryMsMax,
  'a head that is refused must not be tried at each look',
);
assert(LIMITS.batchFramesMax <= LIMITS.parsedFramesMax, 'a whole batch must be able to wait');
assert(
  2 * LIMITS.heartbeatIntervalMs < LIMITS.fencedGraceMs,
  'two heartbeats must fit in the time in which a fenced process hears of a rebalance',
);
assert(
  LIMITS.fleetBeatIntervalMs * 3 <= LIMITS.fleetLeaseMs - LIMITS.fleetClockAllowanceMs,
  'three beats must fit in a lease, as the agent counts it',
);
assert(
  LIMITS.fleetBeatIntervalMs + LIMITS.fleetRequestTimeoutMs <= LIMITS.fleetSilenceMs &&
    LIMITS.fleetSilenceMs < LIMITS.fleetClockAllowanceMs,
  'a step of the clock that passes for no silence must not end a lease before its agent does',
);
assert(
  LIMITS.fleetLeaseMs + LIMITS.fleetBeatIntervalMs + 2 * LIMITS.fleetRequestTimeoutMs <=
    LIMITS.fleetTakeOverMs,
  'the beat after the end of a lease, and the one that takes the camera, must be in time',
);
assert(
  LIMITS.fleetTakeOverMs + LIMITS.fleetReleaseTimeoutMs < LIMITS.fleetDrainTimeoutMs,
  'whoever waits for a camera to be given back must outlast an owner that dies meanwhile',
);
assert(
  4 *
    (LIMITS.cameraSourceLengthMax +
      2 * LIMITS.cameraLabelsMax * 64 +
      LIMITS.headsPerCameraMax * LIMITS.headNameLengthMax +
      LIMITS.cameraIdLengthMax) +
    2 * 1024 <=
    LIMITS.controlBodyBytesMax,
  'any valid camera must fit in a request, at four bytes a character',
);
assert(
  2 * LIMITS.fleetRequestTimeoutMs * LIMITS.controlChangeTriesMax < LIMITS.shutdownTimeoutMs &&
    LIMITS.controlRequestTimeoutMs + LIMITS.controlRequestCheckMs < LIMITS.shutdownTimeoutMs,
  'what is under way must be answered before a stopping control API is killed',
);
assert(
  LIMITS.controlPageDefault <= LIMITS.controlPageMax &&
    LIMITS.controlPageMax <= LIMITS.fleetCamerasMax,
  'pages must be parts of a fleet',
);
assert(
  LIMITS.fleetRequestTimeoutMs <= LIMITS.controlRetryAfterMs,
  'whoever is told to come back must find the outcome of the attempt before',
);
assert(
  LIMITS.readerQuietMs < LIMITS.controlReadTimeoutMs,
  'a topic must be read to its end before nobody waits any more',
);
assert(
  LIMITS.fleetReleaseTimeoutMs + 3 * LIMITS.fleetRequestTimeoutMs + LIMITS.closeTimeoutMs <
    LIMITS.shutdownTimeoutMs,
  'an agent that stops must be able to hand its cameras on',
);
assert(
  LIMITS.inferenceDrainTimeoutMs + LIMITS.engineCloseTimeoutMs + LIMITS.closeTimeoutMs <
    LIMITS.shutdownTimeoutMs,
  'a consumer must have time to leave its group after the drain',
);
assert(
  LIMITS.webhookTimeoutMsDefault < LIMITS.webhookDrainTimeoutMs &&
    LIMITS.webhookDrainTimeoutMs + LIMITS.consumerStopTimeoutMs + LIMITS.closeTimeoutMs <
      LIMITS.shutdownTimeoutMs,
  'a stopping worker of webhooks must be able to wait for an answer, and to leave its groups',
);
assert(
  LIMITS.webhookTimeoutMsDefault <= LIMITS.webhookTimeoutMsMax,
  'a time-out that is not given must be one that may be given',
);
assert(
  LIMITS.resultRecordBytesMax < LIMITS.webhookBodyBytesMax,
  'an event must hold most results: JSON is longer than Avro, and masks nearly as short',
);
assert(
  LIMITS.webhookRetryDelayMsMin < LIMITS.webhookRetryDelayMsMax &&
    LIMITS.webhookRetryDelayMsMax * 2 <= LIMITS.webhookParkAfterMsDefault,
  'a hook must have been tried after its longest pause before it is parked',
);
assert(
  LIMITS.slowFrameAgeMs >=
    2 * (LIMITS.sendIntervalMs + LIMITS.fetchWaitMsMax + LIMITS.transactionIntervalMs),
  'frames on their usual way must not count as slow',
);
assert(LIMITS.parsedFramesMax <= LIMITS.otlpAttributesMax, 'the links of a batch must all be kept');
assert(
  LIMITS.historyCameraBytesMax * LIMITS.fleetCamerasMax <= LIMITS.historyBytesMax &&
    LIMITS.historyMs % LIMITS.historyStepMs === 0,
  'a whole fleet must have its charts, in whole steps',
);
assert(
  ((LIMITS.historyStepMs * LIMITS.framesPerSecondMax) / 1000) * LIMITS.detectionsPerFrameMax <
    2 ** 16,
  'what is found in a step of a chart must fit in the 16 bits of its counter',
);
assert(
  4 * LIMITS.resultRecordBytesMax <= LIMITS.recentBytesMax,
  'the newest frame, with any results, must be among those that are kept',
);
assert(
  LIMITS.frameRecordBytesMax <= LIMITS.inspectFetchBytes &&
    LIMITS.inspectFetchBytes <= LIMITS.inspectNearBytes &&
    LIMITS.inspectNearBytes < LIMITS.inspectBytesMax,
  'what is near a place must be a small part of what a look for a frame may read',
);
assert(
  1_000 + LIMITS.wallServerSilentMs <= 5_000 &&
    LIMITS.wallReconnectDelayMsMin < LIMITS.wallReconnectDelayMsMax,
  'whoever looks at the wall must be told within five seconds that its server is gone',
);
assert(
  LIMITS.rowGroupTextLengthMax >= LIMITS.resultRecordBytesMax,
  'the row of any one result must fit in a row group',
);
assert(
  LIMITS.jobLockMs >= 2 * LIMITS.jobLostLookMs && LIMITS.jobLockMs > 2 * LIMITS.jobQueueTimeoutMs,
  'a worker must be able to renew its lock in spite of a slow answer',
);
assert(
  LIMITS.inferenceDrainTimeoutMs + LIMITS.engineCloseTimeoutMs + LIMITS.closeTimeoutMs <=
    LIMITS.jobLetGoTimeoutMs &&
    LIMITS.jobLetGoTimeoutMs + LIMITS.jobGiveBackTimeoutMs + LIMITS.closeTimeoutMs <
      LIMITS.shutdownTimeoutMs,
  'a backfill must be able to drain before its worker is killed',
);
assert(
  2 * LIMITS.transactionIntervalMs <= LIMITS.liveLagResumeMs &&
    LIMITS.liveLagResumeMs < LIMITS.liveLagMaxMs,
  'consumers that keep up must not hold jobs, and jobs must not come and go at one limit',
);
assert(
  2 * LIMITS.wallTellIntervalMs + LIMITS.wallSilentAfterMs < LIMITS.wallSilentToldMs,
  'a frame that waits is seen at the next look, and the end of its patience at the one after',
);
assert(
  LIMITS.sessionTimeoutMs + LIMITS.wallTellIntervalMs <= LIMITS.wallNewMembersMs &&
    LIMITS.wallNewMembersMs < LIMITS.wallPatienceMsMax &&
    LIMITS.wallPauseFactor * LIMITS.wallPatienceMsMax < LIMITS.wallPausesMs,
  'a killed member must be gone before new ones are blamed, and a long pause outlast the next one',
);
assert(
  2 * (LIMITS.cameraIdLengthMax + 3) * LIMITS.wallWatchedMax <= LIMITS.wallMessageBytesMax,
  'a page must be able to name all the cameras that it may watch',
);
assert(
  LIMITS.transactionIntervalMs + LIMITS.wallTellIntervalMs <= LIMITS.wallCaughtUpMs &&
    LIMITS.wallCaughtUpMs < LIMITS.wallBehindMs,
  'consumers that keep up must not be told to be behind, nor come and go at one limit',
);
assert(
  2 * LIMITS.fleetLiveBeats * LIMITS.fleetBeatIntervalMs < LIMITS.wallAgentSilentMs &&
    2 * LIMITS.statusIntervalMs < LIMITS.wallAgentSilentMs,
  'an agent must have missed two of its statuses before it is taken for dead',
);
assert(
  LIMITS.wallSpansDelayMs * (2 ** LIMITS.wallSpansTries - 1) > 4 * LIMITS.wallPollMs,
  'exporters send spans every five seconds, and one that was refused sends them again',
);
assert(
  LIMITS.wallTellIntervalMs < LIMITS.wallServerSilentMs,
  'a page must hear of its server before it takes it for lost',
);
