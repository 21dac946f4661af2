//! The works under criterion: a closer look at one contender, its distribution, and its change
//! since the last run.
//!
//! `cargo bench -- lease/bumpalo` in this package's folder. For ratios use the report, where
//! contenders take turns.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use marena_benches::works;

fn all(criterion: &mut Criterion) {
    for make in works::ALL {
        let work = make();
        let mut group = criterion.benchmark_group(work.id);
        group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        for mut entry in work.entries {
            group.throughput(Throughput::Elements(entry.operations as u64));
            group.bench_function(&entry.name, |bencher| {
                bencher.iter_custom(|batches| (0..batches).map(|_| (entry.batch)()).sum());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
