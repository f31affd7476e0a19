//! The hospital: typed access to the record classes.
//!
//! Each namespace of [`Clinic`] is a [`View`] of one class: its keys are typed identifiers, its
//! values any type that JSON can hold.

mod view;

pub use view::{Typed, View};

use crate::{
    engine::Session,
    kernel::id::{
        AppointmentId, DepartmentId, DeviceId, DoctorId, EquipmentId, ImageId, PatientId, QueueId,
        RecordId, ReportId, StudyId,
    },
};

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident: $class:literal, $key:ty;)*) => {
        /// The record classes of a session, by name.
        ///
        /// ```
        /// use clinicache::{Cache, KeySource, Purpose, Result, clinic::Clinic, id::PatientId};
        /// # use clinicache::testkit::Sim;
        /// # fn main() -> Result<()> {
        /// # let sim = Sim::new(1);
        /// # let platform = sim.platform();
        /// # sim.run_timed(async move {
        /// let cache = Cache::builder("ward-7", platform)
        ///     .user("dr-lee")
        ///     .keys(KeySource::Ephemeral)
        ///     .open()
        ///     .await?;
        /// let session = cache.session("dr-lee", Purpose::Treatment)?;
        /// let id = PatientId::parse("123")?;
        /// session.patients().put(&id, &serde_json::json!({ "id": "123" })).await?;
        /// let patient = session.patients().get::<serde_json::Value>(&id).await?;
        /// assert!(patient.is_some_and(|entry| entry.value.is_some() && !entry.verified));
        /// # Ok(())
        /// # })
        /// # }
        /// ```
        pub trait Clinic {
            $($(#[$doc])* fn $name(&self) -> View<'_, $key>;)*
        }

        impl Clinic for Session {
            $(fn $name(&self) -> View<'_, $key> {
                View::new(self, $class)
            })*
        }

        #[cfg(test)]
        const VIEWS: &[(&str, usize)] =
            &[$(($class, <$key as view::Parts>::COUNT)),*];
    };
}

views! {
    /// Patients.
    patients: "patient", PatientId;
    /// Patient summaries.
    summaries: "summary", PatientId;
    /// Medical records: any clinical resource of a patient.
    records: "medical_record", (PatientId, RecordId);
    /// The record list of a patient.
    record_lists: "medical_records:list", PatientId;
    /// Report metadata.
    reports: "report:meta", ReportId;
    /// Doctors.
    doctors: "doctor", DoctorId;
    /// The doctors of a department.
    department_doctors: "doctors:department", DepartmentId;
    /// Departments.
    departments: "department", DepartmentId;
    /// Equipment.
    equipment: "equipment", EquipmentId;
    /// The status of equipment.
    equipment_status: "equipment:status", EquipmentId;
    /// Appointments.
    appointments: "appointment", AppointmentId;
    /// The appointments of a patient.
    patient_appointments: "appointments:patient", PatientId;
    /// A patient's place in a queue.
    queue_positions: "queue:position", (QueueId, PatientId);
    /// Queues.
    queues: "queue:info", QueueId;
    /// The newest vital signs of a patient.
    vitals: "vitals:realtime", PatientId;
    /// The status of a bedside device.
    devices: "device:status", DeviceId;
    /// The active alerts of a patient.
    alerts: "alerts:active", PatientId;
    /// The alert history of a patient.
    alert_history: "alerts:history", PatientId;
    /// Image metadata.
    images: "image:meta", ImageId;
    /// Study metadata.
    studies: "study:meta", StudyId;
    /// The studies of a patient.
    patient_studies: "studies:patient", PatientId;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::class::Classes;

    #[test]
    fn every_view_fits_its_class() {
        let classes = Classes::builtin();
        for (class, parts) in VIEWS {
            let id = classes.id(class).unwrap();
            let (least, most) = classes.get(id).arity();
            assert!((least..=most).contains(parts), "{class}");
        }
    }
}
