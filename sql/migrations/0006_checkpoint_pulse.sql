-- By what a stream on a job server knows that the runner's checkpoints have passed what its workers have read.

-- One more with each checkpoint of which the source has heard that it is complete.
alter table pipelines add column pulse bigint not null default 0;

-- As it was when the range was recorded.
alter table read_ranges add column pulse bigint;
